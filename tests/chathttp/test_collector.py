"""The garbage collector's settings hold for a node that serves."""

import gc
from collections.abc import Iterator

import pytest

from chathttp import collector


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_is_there_at_the_start_is_looked_at_no_more_and_passes_are_rarer() -> None:
    collector.settle()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == (collector.YOUNG, collector.MIDDLE, collector.OLD)
    assert gc.isenabled()


def test_circles_are_still_found() -> None:
    collector.settle()
    circle: list[object] = []
    circle.append(circle)
    del circle
    assert gc.collect() >= 1
