"""Published files as a web server sees them that knows only their size and their date."""

import pytest

from statuspage.publish.files import Folder

PAGE, TWIN = "en/index.html", "en/index.blind.html"


@pytest.fixture
def folder(tmp_path):
    opened = []

    def open_folder():
        opened.append(Folder(tmp_path))
        return opened[-1]

    yield open_folder
    for one in opened:
        one.close()


def seconds(folder, *names):
    return [int((folder.pages / name).stat().st_mtime) for name in names]


def test_no_two_versions_of_a_page_or_of_its_twin_bear_the_same_second(folder):
    first = folder()
    seen = []
    for version in (b"1", b"2"):
        first.write({PAGE: version, TWIN: version})
        seen += seconds(first, PAGE, TWIN)
    restarted = folder()
    restarted.write({TWIN: b"3"})
    seen += seconds(restarted, TWIN)

    assert len(set(seen)) == 5, seen


def test_all_forms_of_a_file_bear_one_second_and_what_is_the_same_keeps_its_own(folder):
    here = folder()
    here.write({PAGE: b"1" * 1000})
    before = seconds(here, PAGE, f"{PAGE}.gz", f"{PAGE}.br")
    here.write({PAGE: b"1" * 1000})

    assert len(set(before)) == 1
    assert seconds(here, PAGE, f"{PAGE}.gz", f"{PAGE}.br") == before
