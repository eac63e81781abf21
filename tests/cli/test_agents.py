"""Adding an agent on the command line."""

from click.testing import CliRunner

from statuspage.cli import main


def test_an_agent_in_the_servers_own_region_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("STATUSPAGE_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("STATUSPAGE_REGION", "tokyo")

    same, local, other = (
        CliRunner().invoke(main, ["agents", "add", "one", "--region", region]) for region in ("tokyo", "local", "osaka")
    )

    assert [same.exit_code != 0, local.exit_code != 0, other.exit_code] == [True, True, 0], other.output
    assert "this server's own region" in same.output
