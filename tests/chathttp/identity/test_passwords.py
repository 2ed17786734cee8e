import trio

from chatcore.errors import ChatError, ErrorCode
from chathttp.identity.passwords import Passwords


async def test_only_the_password_verifies() -> None:
    passwords = Passwords()
    stored = await passwords.hash("Passw0rd!")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "Passw0rd!")
    assert not await passwords.verify(stored, "passw0rd!")
    assert not await passwords.verify("no hash at all", "Passw0rd!")
    assert not await passwords.verify(stored, "x" * 1_000_000)


async def test_nobodys_hash_is_verified_by_nothing() -> None:
    assert not await Passwords().verify(None, "Passw0rd!")


async def test_a_letter_composed_in_another_way_is_the_same_letter() -> None:
    passwords = Passwords()
    assert await passwords.verify(await passwords.hash("Pass\u00e9w0rd"), "Passe\u0301w0rd")


async def test_more_checks_than_may_wait_are_refused_as_overloaded() -> None:
    passwords = Passwords(threads=1, queue=1)
    outcomes: list[ErrorCode | None] = []

    async def check() -> None:
        try:
            await passwords.verify(None, "x")
        except ChatError as error:
            outcomes.append(error.code)
        else:
            outcomes.append(None)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(check)
    assert outcomes.count(ErrorCode.OVERLOADED) == outcomes.count(None) == 2
