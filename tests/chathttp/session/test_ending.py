"""Sessions that end because their users' accounts did."""

import json

from trio.testing import MockClock

from chathttp.identity.verifier import unauthorized
from chathttp.session.inspection import end_sessions
from tests.kit.house import open_house


async def test_the_sessions_of_some_users_end_with_a_reason_and_no_others(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob = await house.user("alice"), await house.user("bob")
        one, two, other = [await house.client(each) for each in (alice, alice, bob)]
        silent = house.open()
        end_sessions(house.services.running, [alice], unauthorized("The account was deleted"))
        for client in (one, two):
            error = await client.expect("ERROR")
            assert json.loads(error.body)["errorCode"] == "UNAUTHORIZED"
            assert client.transport.closed
        for client in (other, silent):
            assert await client.settled() == []
            assert not client.transport.closed
