import logging

import pytest

from actors.runtime import EventKind, SupervisorEvent
from actors.runtime.events import report

EVENT = SupervisorEvent(EventKind.STARTED, "root", "store")


def test_observer_gets_the_event() -> None:
    seen: list[SupervisorEvent] = []
    report(seen.append, EVENT)
    assert seen == [EVENT]


def test_no_observer_is_fine() -> None:
    report(None, EVENT)


def test_failing_observer_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def observer(_: SupervisorEvent) -> None:
        raise OSError

    with caplog.at_level(logging.ERROR):
        report(observer, EVENT)
    assert "root" in caplog.text
