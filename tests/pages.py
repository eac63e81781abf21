"""Reads an HTML page as a strict reader would; used by every test that looks at one."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "input", "img", "hr", "path", "circle", "rect", "use"}


class Checker(HTMLParser):
    """Well-formed enough to be read: every element closed in order, no inline script, style or handler, no duplicate id."""

    def __init__(self):
        super().__init__()
        self.stack, self.ids, self.tags, self.texts, self.links = [], [], [], [], []
        self.language, self.icon, self.title, self.main = "", "", "", ""  # `main`: the words of the page's own part

    def handle_starttag(self, tag, attrs):
        given_ = dict(attrs)
        assert not any(name.startswith("on") or name == "style" for name in given_), given_
        assert tag != "script" or given_.get("src"), "inline script"
        assert tag != "style", "inline style"
        self.tags.append(tag)
        if tag == "html":
            self.language = given_.get("lang") or ""
        if given_.get("rel") == "icon":
            self.icon = given_["href"]
        if "id" in given_:
            assert given_["id"] not in self.ids, given_["id"]
            self.ids.append(given_["id"])
        for name in ("href", "src"):
            if given_.get(name):
                self.links.append(given_[name])
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag not in VOID:
            self.stack.append(tag)
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack, f"</{tag}> too many"
        assert self.stack.pop() == tag, f"</{tag}>"

    def handle_data(self, data):
        self.texts.append(data)
        if self.stack[-1:] == ["title"] and "svg" not in self.stack:
            self.title += data
        if "main" in self.stack:
            self.main += data

    @property
    def words(self):
        return " ".join(" ".join(self.texts).split())


def check(html):
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.stack == []
    assert checker.tags.count("h1") == 1
    assert checker.tags.count("main") == 1
    return checker
