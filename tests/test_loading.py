import gc

import pytest

from statuspage.loading import loading


def test_the_collector_rests_while_things_load_and_works_afterwards():
    with loading():
        assert not gc.isenabled()

    assert gc.isenabled()
    assert gc.get_threshold()[0] > 700


def test_the_collector_works_after_a_failed_start():
    with pytest.raises(ImportError), loading():
        raise ImportError

    assert gc.isenabled()


def test_an_inner_start_leaves_the_outer_ones_rest_alone():
    with loading():
        with loading():
            pass

        assert not gc.isenabled()
