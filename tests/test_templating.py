import jinja2
import jinja2.environment

from statuspage import templating


def test_a_template_is_compiled_once_for_all_languages(monkeypatch):
    compiled = []
    compile_ = jinja2.environment.Environment.compile
    monkeypatch.setattr(
        jinja2.environment.Environment,
        "compile",
        lambda self, *given, **more: compiled.append(given[1]) or compile_(self, *given, **more),
    )
    templating.environment.cache_clear()
    templating._COMPILED._found.clear()

    found = [templating.environment(language).get_template("site/busy.html") for language in ("en", "zh-Hans")]

    assert compiled == ["site/busy.html"]
    assert [one.environment.globals["lang"] for one in found] == ["en", "zh-Hans"]


def test_a_constant_is_filtered_in_the_language_of_the_reader():
    source = "{{ {'en': 'Transfers', 'zh-Hans': '\u8f6c\u8d26'} | pick }}"

    shelf = jinja2.DictLoader({"constant.html": source})
    both = [templating.environment(language).overlay(loader=shelf) for language in ("en", "zh-Hans")]
    said = [each.get_template("constant.html").render() for each in both]

    assert said == ["Transfers", "\u8f6c\u8d26"]
