"""What each region sees, on the component's page: only where there is more than one, in both languages."""

from datetime import timedelta

import pytest
from stage import add_monitor

from statuspage import settings
from statuspage.actions import rollups
from statuspage.clock import to_ms
from statuspage.errors import SettingsError
from statuspage.store import agents, checks
from statuspage.web.site import Services, create_site
from tests.builders import FUNCTIONS, NOW

COMPONENT = FUNCTIONS[0]


@pytest.fixture
def see(wallet):
    """A function that writes what a region saw in the last day: a state now, and results a minute apart."""
    with wallet.db.write() as conn:
        add_monitor(conn, "m", COMPONENT, 1, NOW)

    def write(region, state, outcomes, latency_ms=100.0):
        with wallet.db.write() as conn:
            rows = [
                (1, to_ms(NOW - timedelta(minutes=30 * place)), region, outcome, latency_ms)
                for place, outcome in enumerate(outcomes)
            ]
            checks.insert_results(conn, rows)
            checks.save_states(conn, [{
                "monitor_id": "m", "region": region, "state": state, "since_at": NOW, "streak_outcome": state, "streak": 1,
                "streak_at": NOW, "last_at": NOW, "last_ms": 1, "error_class": "", "message": "", "evidence": {}, "dialled": "",
            }])  # fmt: skip

    return write


def test_one_region_alone_is_not_worth_a_table(client, see):
    see("local", "up", ["up"])

    assert "Seen from" not in client.get(f"/en/components/{COMPONENT}").text


def test_each_region_is_told_with_its_state_and_its_last_day(client, see):
    see("local", "up", ["up"] * 10, 80)
    see("hk", "down", ["down", "up", "degraded", "unknown"], 250)

    english = client.get(f"/en/components/{COMPONENT}").text
    chinese = client.get(f"/zh-Hans/components/{COMPONENT}").text

    table = english.split("Seen from")[1].split("</table>")[0]
    words = ("The page's own server", "100.00%", "80 ms", "hk", "Does not work", "66.66%", "250 ms")
    assert [word for word in words if word not in table] == []
    assert table.index("own server") < table.index("hk")
    assert all(word in chinese for word in ("各地观测", "本页服务器", "不可用", "24 小时"))


def test_the_servers_own_region_is_shown_by_the_name_it_was_given(wallet, see):
    site = create_site(Services(wallet.db, settings.load({"STATUSPAGE_REGION": "东京 tokyo-1"}), lambda: NOW))
    see("local", "up", ["up"])
    see("hk", "up", ["up"])

    english = site.test_client().get(f"/en/components/{COMPONENT}").text

    table = english.split("Seen from")[1].split("</table>")[0]
    assert '东京 tokyo-1 <span class="quiet">the page\'s own server</span>' in table
    assert ">local<" not in table


@pytest.mark.parametrize("name", ["", " ", "<b>", "a\nb", "x" * 41, "-a"])
def test_a_region_is_a_short_word(name):
    if name == "":
        assert settings.load({"STATUSPAGE_REGION": name}).region == "local"
        return
    with pytest.raises(SettingsError, match="STATUSPAGE_REGION"):
        settings.load({"STATUSPAGE_REGION": name})


def test_the_day_is_the_same_from_hours_rolled_up_and_from_single_results(wallet, see):
    see("local", "up", ["up", "down"] * 10)
    see("hk", "up", ["up"] * 47)

    def found():
        with wallet.db.read() as conn:
            return agents.regions_of(conn, COMPONENT, NOW)

    before = found()
    rollups.roll_hours(wallet.db, NOW)

    assert found() == before
    assert [(one.name, one.checks, one.percent) for one in before] == [("local", 20, 5000), ("hk", 47, 10_000)]


def test_what_is_older_than_a_day_does_not_count(wallet, see):
    see("hk", "up", ["up"] * 60)
    see("local", "unknown", ["unknown"])

    with wallet.db.read() as conn:
        local, there = agents.regions_of(conn, COMPONENT, NOW)

    assert 48 <= there.checks <= 50
    assert (local.state, local.percent, local.mean_ms) == ("unknown", None, None)
