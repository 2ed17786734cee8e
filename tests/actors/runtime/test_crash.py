from typing import cast

import pytest
import trio

from actors.runtime.crash import CrashGuard


class Broken(Exception):
    pass


def leaves(error: BaseException) -> list[BaseException]:
    """The errors that a group, however nested, is made of."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    members = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return [leaf for member in members for leaf in leaves(member)]


def test_ordinary_error_is_caught_and_reported() -> None:
    crashes: list[Exception] = []
    error = Broken()
    with CrashGuard(crashes.append):
        raise error
    assert crashes == [error]


def test_group_of_ordinary_errors_is_one_crash() -> None:
    crashes: list[Exception] = []
    group = ExceptionGroup("two", [Broken(), ValueError()])
    with CrashGuard(crashes.append):
        raise group
    assert crashes == [group]


def test_no_error_reports_nothing() -> None:
    crashes: list[Exception] = []
    with CrashGuard(crashes.append):
        pass
    assert crashes == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_passes(kind: type[BaseException]) -> None:
    crashes: list[Exception] = []
    with pytest.raises(kind), CrashGuard(crashes.append):
        raise kind
    assert crashes == []


def test_mixed_group_is_split() -> None:
    crashes: list[Exception] = []
    error, interrupt = Broken(), KeyboardInterrupt()
    group = BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [error, interrupt])])
    with pytest.raises(BaseExceptionGroup) as raised, CrashGuard(crashes.append):
        raise group
    assert leaves(raised.value) == [interrupt]
    assert [leaves(crash) for crash in crashes] == [[error]]


async def test_cancellation_is_no_crash() -> None:
    crashes: list[Exception] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        with CrashGuard(crashes.append):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert crashes == []


async def test_crash_while_being_cancelled_is_reported_and_the_cancellation_goes_on() -> None:
    crashes: list[Exception] = []
    passed = False

    async def breaks_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Broken

    with trio.CancelScope() as scope:
        with CrashGuard(crashes.append):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(breaks_when_cancelled)
                nursery.start_soon(trio.sleep_forever)
                await trio.lowlevel.checkpoint()
                scope.cancel()
        passed = True
    assert scope.cancelled_caught
    assert not passed
    assert [type(leaf) for crash in crashes for leaf in leaves(crash)] == [Broken]
