import signal

import trio
import trio.testing

from chathttp.cli.signals import drained_by_signals


async def _received(event: trio.Event) -> None:
    with trio.fail_after(5):
        await event.wait()


async def test_work_that_ends_by_itself_needs_no_signal() -> None:
    async def main(drain: trio.Event) -> None:
        assert not drain.is_set()

    assert await drained_by_signals(main)


async def test_sigterm_drains_and_a_repeated_one_changes_nothing() -> None:
    async def main(drain: trio.Event) -> None:
        signal.raise_signal(signal.SIGTERM)
        await _received(drain)
        signal.raise_signal(signal.SIGTERM)
        await trio.testing.wait_all_tasks_blocked(0.02)

    assert await drained_by_signals(main)


async def test_first_ctrl_c_drains() -> None:
    async def main(drain: trio.Event) -> None:
        signal.raise_signal(signal.SIGINT)
        await _received(drain)

    assert await drained_by_signals(main)


async def test_second_ctrl_c_ends_at_once() -> None:
    cleaned = False

    async def main(drain: trio.Event) -> None:
        nonlocal cleaned
        signal.raise_signal(signal.SIGINT)
        await _received(drain)
        try:
            signal.raise_signal(signal.SIGINT)
            with trio.fail_after(5):
                await trio.sleep_forever()
        finally:
            cleaned = True

    assert not await drained_by_signals(main)
    assert cleaned


async def test_ctrl_c_after_sigterm_ends_at_once() -> None:
    async def main(drain: trio.Event) -> None:
        signal.raise_signal(signal.SIGTERM)
        await _received(drain)
        signal.raise_signal(signal.SIGINT)
        with trio.fail_after(5):
            await trio.sleep_forever()

    assert not await drained_by_signals(main)
