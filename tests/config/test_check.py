"""wallet.yaml as a whole: every mistake at once, each with its place and what to do."""

# ruff: noqa: E501 - one rule, one row: the table is read down, not across

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.registry import PROBES
from statuspage.config.catalogue import Chain
from statuspage.config.check import Config, check, check_text, load, parse
from statuspage.errors import SettingsError

PAGE = "page: {name: Demo, url: https://status.wallet.example}\n"
SHOWN = "components:\n  transfers: {name: Transfers}\n  login: {name: Sign-in}\n"
BASE = PAGE + SHOWN  # four lines
HTTP = "http: https://api.wallet.example/health"


def lines(text: str, **environ: str) -> list[str]:
    return [str(problem).removeprefix("wallet.yaml:") for problem in check_text(text, environ=environ)[1]]


def errors(text: str) -> list[str]:
    return [line for line in lines(text) if ": warning: " not in line]


def test_a_small_file_is_accepted():
    config, problems = check_text(BASE + f"monitors:\n  api: {{component: transfers, {HTTP}}}\n")

    assert problems == []
    assert isinstance(config, Config)
    assert config.document.page.name == {"zh-Hans": "Demo", "en": "Demo"}
    assert config.checks["api"].kind == "http"
    assert config.checks["api"].target == "https://api.wallet.example/health"


BAD = [
    # the shape
    ("a: [", "2:1: .: this is not YAML"),
    ("- page", "1:1: .: write keys such as `page:`"),
    (SHOWN, "1:1: page: add `page:` here"),
    ("page: {name: Demo}\n" + SHOWN, "1:1: page.url: add `url:` here"),
    (BASE + "pages: 1\n", "5:1: pages: no such key; did you mean page?"),
    (BASE.replace("name: Demo", "nmae: Demo"), "1:8: page.nmae: no such key; did you mean name?"),
    (BASE + "mirrors: x\n", "5:10: mirrors: write a list"),
    (BASE + "monitors: [a]\n", "5:11: monitors: write keys below this one"),
    (PAGE + "components:\n  a: {name: A}\n  b: {name: B}\n  a: {name: C}\n", "5:3: components.a: a is given twice, on lines 3 and 5"),
    # page
    (BASE.replace("https://status.wallet.example", "status.wallet.example"), "1:25: page.url: write an address such as https://"),
    (BASE.replace("wallet.example}", "wallet.example/page}"), "1:25: page.url: write scheme and host only, https://status"),
    (BASE.replace("wallet.example}", "wallet.example:99999}"), "1:25: page.url: write an address"),
    (BASE.replace("https://status", "https://me:pw@status"), "1:25: page.url: leave user and password out"),
    (BASE.replace("name: Demo", "name: {en: Demo}"), "1:14: page.name: add the text in zh-Hans"),
    (BASE.replace("name: Demo", "name: {en: Demo, zh: 钱包}"), "1:14: page.name: remove zh (zh is written zh-Hans)"),
    (BASE.replace("name: Demo", "name: no"), "1:14: page.name: YAML reads no as true or false"),
    (BASE.replace("name: Demo", "name: true"), '1:14: page.name: put it in quotes: "true" is read as a switch'),
    (BASE.replace("name: Demo", "name: [a]"), "1:14: page.name: write one text, not a list"),
    (BASE.replace("name: Demo", 'name: "a\\u202Eb"'), "1:14: page.name: remove the invisible character U+202E"),
    (BASE.replace("name: Demo", "name: ~"), "1:14: page.name: write a text here, or remove the key"),
    (BASE.replace("name: Demo", "name: Demo, languages: [zh]"), "1:32: page.languages.0: write zh-Hans"),
    (BASE.replace("name: Demo", "name: Demo, languages: [xx]"), "1:32: page.languages.0: write one of zh-Hans, en"),
    (BASE.replace("name: Demo", "name: Demo, languages: [en, en]"), "1:31: page.languages: each may be named once"),
    (BASE.replace("name: Demo", "name: Demo, languages: []"), "1:31: page.languages: name at least one"),
    (BASE.replace("name: Demo", "name: Demo, time_zone: Peking"), "1:31: page.time_zone: write a time zone such as"),
    (BASE.replace("name: Demo", "name: Demo, time_zone: ../x"), "1:31: page.time_zone: write a time zone such as"),
    (BASE.replace("name: Demo", "name: Demo, custody: us"), "1:29: page.custody: write one of self, custodial, both"),
    (BASE.replace("name: Demo", "name: Demo, brand: {color: red}"), "1:35: page.brand.color: write a colour such as"),
    (BASE.replace("name: Demo", "name: Demo, support: [{kind: phone, name: x}]"), "1:30: page.support.0: add number"),
    (BASE.replace("name: Demo", "name: D, support: [{kind: phone, number: 123}]"), "1:49: page.support.0.number: write the number with"),
    (BASE.replace("name: Demo", "name: D, support: [{kind: chat, url: 'https://a.b', wait: 5}]"), "1:66: page.support.0.wait: write the dur"),
    (BASE.replace("name: Demo", "name: Demo, official: {domains: ['https://a.b']}"), "1:41: page.official.domains.0: write a domain"),
    # groups, components
    (BASE + "groups:\n  My Group: {name: x}\n", "6:3: groups.My Group: write an id of a-z 0-9 _ - only, at most 64, such as my-group"),
    (BASE + "  x: {}\n", "5:3: components.x.name: add `name:` here"),
    (BASE + "  x: {name: X, grop: a}\n", "5:16: components.x.grop: no such key; did you mean group?"),
    (BASE + "  x: {name: X, group: functions}\n", "5:23: components.x.group: there is no group functions"),
    (BASE + "  x: {name: X, symptoms: [transfer_faild]}\n", "5:27: components.x.symptoms.0: there is no symptom transfer_faild; did you"),
    (BASE + "  x: {name: X, template: transfer-failing}\n", "components.x.template: there is no template transfer-failing; did you mean t"),
    (BASE + "  x: {name: X, weight: heavy}\n", "5:24: components.x.weight: write one of normal, critical"),
    (BASE + "  x: {name: X, start_date: 2026-01-31}\n", "5:28: components.x.start_date: YAML reads 2026-01-31 as a date"),
    (BASE + "  x: {name: X, start_date: '2026-1-31'}\n", '5:28: components.x.start_date: write a date such as "2026-01-31"'),
    (BASE + "  x: {name: X, was: login}\n", "5:21: components.x.was: login is still in the file"),
    (BASE + "  x: {name: X, was: z}\n  y: {name: W, was: z}\n", "6:21: components.y.was: x was z too"),
    # monitors
    (BASE + "monitors:\n  m: {component: transfers}\n", "6:3: monitors.m: say what to check: add one of"),
    (BASE + f"monitors:\n  m: {{{HTTP}}}\n", "6:3: monitors.m.component: add `component:` here"),
    (BASE + f"monitors:\n  m: {{component: transfer, {HTTP}}}\n", "6:18: monitors.m.component: there is no component transfer; did you"),
    (BASE + f"monitors:\n  m: {{component: login, {HTTP}, tcp: a}}\n", "monitors.m.tcp: a monitor checks one thing: keep one of http, tcp"),
    (BASE + "monitors:\n  m: {component: login, grpc: a}\n", "6:25: monitors.m.grpc: must be host:port"),
    (BASE + "monitors:\n  m: {component: login, flow: []}\n", "6:25: monitors.m.flow: must be a list of steps"),
    (BASE + "monitors:\n  m: {component: login, flow: [{get: 'https://a.b', xpect: 1}]}\n", "6:53: monitors.m.flow.0.xpect: unknown"),
    (BASE + "monitors:\n  m: {component: login, flow: {steps: [{get: ftp://a.b}]}}\n", "6:41: monitors.m.flow.steps.0.get: URL must"),
    (BASE + "monitors:\n  m: {component: login, htp: x}\n", "6:25: monitors.m.htp: no such key; did you mean http?"),
    (BASE + "monitors:\n  m: {component: login, http: ftp://a.b}\n", "6:25: monitors.m.http:"),
    (BASE + "monitors:\n  m: {component: login, http: {url: 'https://a.b', metod: GET}}\n", "6:52: monitors.m.http.metod:"),
    (BASE + f"monitors:\n  m: {{component: login, interval: 30, {HTTP}}}\n", "6:35: monitors.m.interval: write the duration with its unit: 30s"),
    (BASE + f"monitors:\n  m: {{component: login, interval: 1:30, {HTTP}}}\n", "6:35: monitors.m.interval: YAML reads 1:30 as a number"),
    (BASE + f"monitors:\n  m: {{component: login, interval: 2d, {HTTP}}}\n", "6:35: monitors.m.interval: write a duration from 1s to 1d"),
    (BASE + f"monitors:\n  m: {{component: login, interval: often, {HTTP}}}\n", "6:35: monitors.m.interval: write a duration such as 30s"),
    (BASE + f"monitors:\n  m: {{component: login, timeout: 50s, {HTTP}}}\n", "6:34: monitors.m.timeout: a check must end before the next"),
    (BASE + f"monitors:\n  m: {{component: login, when_down: broken, {HTTP}}}\n", "6:36: monitors.m.when_down: write one of degraded, pa"),
    (BASE + f"monitors:\n  m: {{component: login, paused: on, {HTTP}}}\n", "6:33: monitors.m.paused: YAML reads on as true or false"),
    (BASE + f"monitors:\n  m: {{component: login, paused: 1, {HTTP}}}\n", "6:33: monitors.m.paused: write true or false"),
    (BASE + f"monitors:\n  m: {{component: login, confirm: {{failures: 0}}, {HTTP}}}\n", "monitors.m.confirm.failures: write a number from 1"),
    (BASE + f"monitors:\n  m: {{component: login, confirm: {{failures: 2.5}}, {HTTP}}}\n", "monitors.m.confirm.failures: write a whole n"),
    (BASE + f"monitors:\n  m: {{component: login, depends_on: x, {HTTP}}}\n", "6:37: monitors.m.depends_on: there is no monitor x"),
    (BASE + f"monitors:\n  m: {{component: login, depends_on: m, {HTTP}}}\n", "6:37: monitors.m.depends_on: this goes in a circle (m -> m)"),
    (BASE + f"monitors:\n  a: {{component: login, depends_on: b, {HTTP}}}\n  b: {{component: login, depends_on: a, {HTTP}}}\n",
     "6:37: monitors.a.depends_on: this goes in a circle (a -> b -> a)"),
    (BASE + f"monitors:\n  m: {{component: login, regions: hk, {HTTP}}}\n", "6:34: monitors.m.regions: write all, or a list"),
    (BASE + f"monitors:\n  m: {{component: login, regions: [hk, hk], {HTTP}}}\n", "monitors.m.regions: name each region once"),
    (BASE + f"monitors:\n  m: {{component: login, regions: [hk, sg], quorum: 3, {HTTP}}}\n", "monitors.m.quorum: 2 regions can never"),
    (BASE + f"defaults: {{quorum: 3}}\nmonitors:\n  m: {{component: login, regions: [hk, sg], {HTTP}}}\n",
     "monitors.m.regions: 2 regions can never"),
    (BASE + f"monitors:\n  m: {{component: login, quorum: most, {HTTP}}}\n", "6:33: monitors.m.quorum: write majority, all, any"),
    (BASE + "defaults: {self_test: [one.example]}\n", "5:24: defaults.self_test.0: write an address"),
    # chains
    (BASE + "chains:\n  nochain: {endpoints: [{url: 'https://rpc.example'}]}\n", "6:3: chains.nochain: this chain is not in the registry"),
    (BASE + "chains:\n  tron: {family: tron, endpoints: []}\n", "6:35: chains.tron.endpoints: name at least one"),
    (BASE + "chains:\n  tron: {family: tron, component: login, endpoints: [{url: 'https://a.b'}]}\n", "6:35: chains.tron.component: a component is called"),
    (BASE + "chains:\n  tron: {family: tron, capabilities: [mine], endpoints: [{url: 'https://a.b'}]}\n", "chains.tron.capabilities.0: write one of send"),
    # maintenance
    (BASE + "maintenance:\n  - {name: a, components: [x], starts: '2026-12-01 02:00', lasts: 2h}\n", "6:28: maintenance.0.components.0: there"),
    (BASE + "maintenance:\n  - {name: a, components: [login], starts: 2026-12-01, lasts: 2h}\n", "maintenance.0.starts: YAML reads 2026-12-01"),
    (BASE + "maintenance:\n  - {name: a, components: [login], starts: 'at two', lasts: 2h}\n", "maintenance.0.starts: write date and time"),
    (BASE + "maintenance:\n  - {name: a, components: [login], starts: '2026-12-01 02:00', lasts: 2h, repeats: FREQ=SECONDLY}\n",
     "6:84: maintenance.0.repeats: write an RRULE"),
    (BASE + "maintenance:\n  - {name: a, components: [login], starts: '2026-12-01 02:00', lasts: 2h, repeats: 'FREQ=DAILY;UNTIL=20270101T000000Z'}\n",
     "6:84: maintenance.0.repeats: write an RRULE"),
    # channels, people, networks, mirrors
    (BASE + "channels: {fax: {}}\n", "5:12: channels.fax: no such key: here can be sms, email, webpush, webhook"),
    (BASE + "channels: {sms: {countries: [HK, NO]}}\n", "5:34: channels.sms.countries.1: YAML reads NO as true or false"),
    (BASE + "channels: {sms: {countries: [hk]}}\n", "5:30: channels.sms.countries.0: write a country code"),
    (BASE + "channels: {sms: {twilio: {account_sid: a, auth_token: '${env:T}'}}}\n", "5:26: channels.sms.twilio: give either messaging"),
    (BASE + "channels: {email: {smtp: mail.example, from: a@b.example}}\n", "5:26: channels.email.smtp: write"),
    (BASE + "channels: {email: {smtp: 'smtp://a', from: 'a@b.example, c@d.example'}}\n", "5:44: channels.email.from: write one mail address"),
    (BASE + "channels: {email: {smtp: 'smtp://a', form: a@b.example}}\n", "channels.email.form: no such key; did you mean from?"),
    (BASE + "channels: {webpush: {contact: me}}\n", "5:31: channels.webpush.contact: write mailto:"),
    (BASE + "channels: {webpush: {contact: 'mailto:a@b.c', hosts: ['https://push.example']}}\n", "5:55: channels.webpush.hosts.0: write a host"),
    (BASE + "on_call: [{name: A}]\n", "5:11: on_call.0: give one of phone, webhook, or console: true"),
    (BASE + "on_call: [{name: A, phone: 12345}]\n", "5:28: on_call.0.phone: write the number with country code"),
    (PAGE.replace("name: Demo", "name: D, languages: [en]") + SHOWN + "on_call: [{name: A, console: true, language: zh-Hans}]\n",
     "5:46: on_call.0.language: the page's languages are en"),
    (BASE + "webhooks: [{url: 'https://a.b', components: [x]}]\n", "5:46: webhooks.0.components.0: there is no component x"),
    (BASE + "webhooks: [{url: 'file:///etc/passwd'}]\n", "5:18: webhooks.0.url: write an address"),
    (BASE + "allow_networks: [10.20.0.1/16]\n", "5:18: allow_networks.0: write 10.20.0.0/16"),
    (BASE + "allow_networks: [0.0.0.0/0]\n", "5:18: allow_networks.0: 0.0.0.0/0 allows every address"),
    (BASE + "mirrors: [{folder: /srv/a, s3: 's3://abc'}]\n", "5:11: mirrors.0: give either folder or s3"),
    (BASE + "mirrors: [{s3: 's3://abc'}]\n", "5:11: mirrors.0: nothing here speaks s3: mirror to a folder, and let rclone or `aws s3 sync` carry that on"),
    (BASE + "webhooks: [{url: 'https://a.b', secret: '${env:1X}'}]\n", "5:41: webhooks.0.secret: write a reference as ${env:NAME}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text, expected):
    found = errors(text)

    assert len(found) == 1, found
    assert expected in found[0]
    assert re.match(r"\d+:\d+: \S", found[0])


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = (
        "page: {name: {en: Demo}, url: nowhere, langages: [en]}\n"
        "components:\n  a: {nam: x}\n  b: {name: B, weight: heavy, group: none}\n"
        "monitors:\n  m: {component: c, http: 'ftp://x', interval: 3}\n"
        "on_call: [{}]\n"
    )

    found = errors(text)

    assert len(found) == 10, found
    places = [tuple(map(int, line.split(":")[:2])) for line in found]
    assert places == sorted(places)


def test_a_mistake_hides_no_other_one_of_the_same_part():
    found = errors(BASE + "  x: {name: X, weight: heavy, symptoms: [nope], bogus: 1}\n")

    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE + "webhooks: [{url: '${env:NOT_THERE}'}]\n", "5:18: webhooks.0.url: warning: NOT_THERE is not set"),
        (BASE + "webhooks: [{url: '${file:/not/there}'}]\n", "5:18: webhooks.0.url: warning: /not/there cannot be read"),
        (BASE + "webhooks: [{url: 'https://a.b', secret: abc}]\n", "5:41: webhooks.0.secret: warning: keep secrets out"),
        (BASE.replace("https", "http"), "1:20: page.url: warning: readers should reach the page over https"),
        (BASE + "channels: {email: {smtp: 'smtp://a', from: a@b.example}}\n", "channels.email: warning: this release does not"),
        (PAGE, "1:1: page: warning: the page shows nothing yet"),
        (BASE + "chains:\n  tron: {family: gopher, endpoints: [{url: 'https://a.b'}]}\n", "6:3: chains.tron: warning: shown, but not watched"),
    ],
)
def test_what_is_hardly_meant_is_a_warning_only(text, expected):
    config, problems = check_text(text, environ={})

    assert config is not None
    assert [problem.severity for problem in problems] == ["warning"]
    assert expected in str(problems[0])


def test_a_reference_that_can_be_resolved_is_no_problem_and_stays_unresolved():
    text = BASE + "monitors:\n  m: {component: login, http: {url: '${env:URL}', headers: {Authorization: '${env:AUTH}'}}}\n"

    config, problems = check_text(text, environ={"URL": "https://a.b", "AUTH": "s3cret"})

    assert problems == []
    assert config.checks["m"].target == "${env:URL}"
    assert config.checks["m"].options["headers"] == {"Authorization": "${env:AUTH}"}


def test_texts_stay_as_typed_where_a_text_is_wanted():
    text = BASE.replace("name: Demo", "name: 1.10") + "on_call: [{name: 007A, phone: +85221234567}]\n"

    config = parse(text)

    assert config.document.page.name["en"] == "1.10"
    assert config.document.on_call[0].phone == "+85221234567"


def test_an_empty_section_is_as_if_it_were_not_there():
    assert errors(BASE + "monitors:\nchains:\n") == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"page: \xff\n", "1:7: .: this is not UTF-8"),
        (b"a\n" * 600_000, "1:1: .: the file is longer than"),
        ("\u94b1".encode() * 400_000, "1:1: .: the file is longer than"),
    ],
)
def test_a_file_that_is_no_text_is_told_so(tmp_path, content, expected):
    path = tmp_path / "wallet.yaml"
    path.write_bytes(content)

    config, problems = check(path)

    assert config is None
    assert [expected in str(problem) for problem in problems] == [True]
    assert str(problems[0]).startswith(f"{path}:")


def test_a_missing_file_is_a_problem_and_not_an_exception(tmp_path):
    config, problems = check(tmp_path / "nowhere.yaml")

    assert config is None
    assert "cannot be read: No such file" in str(problems[0])


def test_loading_a_bad_file_raises_with_every_problem(tmp_path):
    path = tmp_path / "wallet.yaml"
    path.write_text("page: {}\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"page\.name(?s:.)*page\.url"):
        load(path)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["transfers", "${env:X}", "https://a.b", "30s", "en", "zh-Hans", "networks", "2026-12-01 02:00", "evm", "own"])  # fmt: skip
KEYS = st.sampled_from(
    ["page", "name", "url", "languages", "groups", "components", "chains", "monitors", "maintenance", "channels", "on_call", "webhooks", "allow_networks", "mirrors", "group", "symptoms", "template", "component", "depends_on", "http", "tcp", "tls", "dns", "evm", "interval", "timeout", "endpoints", "family", "id", "was", "role", "sms", "twilio", "email", "expect", "headers", "json", "status", "en", "zh-Hans", "starts", "lasts", "repeats"]
) | st.text(max_size=4)  # fmt: skip
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25)


def dump(value: object) -> str:
    """YAML's flow form; JSON is not enough: plain scalars are the interesting ones."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dump(item) for item in value) + "]"
    return "" if value is None else str(value)


@settings(max_examples=200)
@given(st.dictionaries(KEYS, TREES, max_size=6))
def test_checking_never_raises_whatever_the_file_says(tree):
    text = "\n".join(f"{key}: {dump(value)}" for key, value in tree.items())

    config, problems = check_text(text, environ={})

    assert config is not None or any(problem.severity == "error" for problem in problems)


OPTIONS = sorted({option.name for probe in PROBES.values() for option in probe.load().OPTIONS})
CHAIN_KEYS = ["url", "role", "headers", "address", "min_balance", *Chain.model_fields]


@pytest.mark.parametrize(
    ("keys", "frame"),
    [*((OPTIONS, f"monitors:\n  m: {{component: login, {kind}: VALUE}}\n") for kind in PROBES),
     (CHAIN_KEYS, "chains:\n  x: {family: evm, endpoints: [{url: VALUE, headers: VALUE}], canary: VALUE}\n  bsc: VALUE\n")],
)  # fmt: skip
@settings(max_examples=60)
@given(data=st.data())
def test_checking_never_raises_whatever_a_probe_is_given(keys, frame, data):
    trees = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(keys), inner, max_size=4))
    value = dump(data.draw(trees))

    config, problems = check_text(BASE + frame.replace("VALUE", value), environ={})

    assert config is not None or any(problem.severity == "error" for problem in problems)


@given(st.text(st.characters(), max_size=80))
def test_checking_never_raises_for_any_text(text):
    config, problems = check_text(text)

    assert config is None
    assert problems


@pytest.mark.parametrize(("word", "is_wrong"), [("tokyo", True), ("local", False), ("hk", False)])
def test_the_servers_own_region_is_local_in_the_file_whatever_it_is_shown_as(word, is_wrong):
    text = BASE + f"monitors:\n  m: {{component: login, regions: [hk2, {word}], {HTTP}}}\n"

    _, problems = check_text(text, environ={"STATUSPAGE_REGION": "tokyo"})

    said = [str(each) for each in problems if "write local" in str(each)]
    assert bool(said) is is_wrong
    assert all("monitors.m.regions.1: write local: tokyo is only what" in each for each in said)
