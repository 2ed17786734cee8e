import pytest

from chatcore.errors import ChatError, ErrorCode
from chathttp.identity.config import IdentityConfig
from chathttp.identity.provisioning import ensure_user, provision_users
from tests.kit.identity import PASSWORD, IdentityKit, open_identity

EMAIL = "jan@example.com"
ADDRESS = "203.0.113.9"


@pytest.fixture
async def kit() -> IdentityKit:
    return await open_identity()


def code_of(error: pytest.ExceptionInfo[ChatError]) -> ErrorCode:
    return error.value.code


async def test_an_account_signs_up_confirms_and_signs_in(kit: IdentityKit) -> None:
    user_id = await kit.service.signup(EMAIL, PASSWORD, " Jan ")
    with pytest.raises(ChatError) as error:
        await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    assert code_of(error) is ErrorCode.EMAIL_NOT_VERIFIED
    await kit.service.confirm(EMAIL, kit.mails.code())
    tokens = await kit.service.login(" JAN@example.com ", PASSWORD, ADDRESS)
    assert kit.verifier.verify(tokens.access_token, kit.clock.seconds()).user_id == user_id
    assert tokens.expires_in == 3600
    (user,) = await kit.chat.users.get([user_id])
    assert (user.name, user.email) == ("Jan", EMAIL)


async def test_a_taken_email_is_a_conflict_whatever_its_case(kit: IdentityKit) -> None:
    await kit.service.signup(EMAIL, PASSWORD, "Jan")
    with pytest.raises(ChatError) as error:
        await kit.service.signup("JAN@Example.com", PASSWORD, "Other")
    assert code_of(error) is ErrorCode.CONFLICT


@pytest.mark.parametrize(
    ("email", "password", "name", "field"),
    [
        ("nobody", PASSWORD, "Jan", "email"),
        ("a\x00@example.com", PASSWORD, "Jan", "email"),
        ("jan@spam.example.org", PASSWORD, "Jan", "email"),
        (EMAIL, "Passw0r", "Jan", "password"),
        (EMAIL, "passw0rd!", "Jan", "password"),
        (EMAIL, "PASSW0RD!", "Jan", "password"),
        (EMAIL, "Password!", "Jan", "password"),
        (EMAIL, "Passw0rd" * 40, "Jan", "password"),
        (EMAIL, PASSWORD, "  ", "name"),
    ],
)
async def test_what_cannot_sign_up_is_refused_naming_the_field(
    email: str, password: str, name: str, field: str
) -> None:
    kit = await open_identity(IdentityConfig(blocked_domains=("example.org",)))
    with pytest.raises(ChatError) as error:
        await kit.service.signup(email, password, name)
    assert code_of(error) is ErrorCode.VALIDATION_ERROR
    assert error.value.details is not None
    assert list(error.value.details) == [field]
    assert kit.mails.letters == []


async def test_a_wrong_password_and_an_unknown_account_look_alike(kit: IdentityKit) -> None:
    await kit.sign_up()
    with pytest.raises(ChatError) as wrong:
        await kit.service.login(EMAIL, "Passw0rd?", ADDRESS)
    with pytest.raises(ChatError) as unknown:
        await kit.service.login("nobody@example.com", "Passw0rd?", ADDRESS)
    assert code_of(wrong) is code_of(unknown) is ErrorCode.INVALID_CREDENTIALS
    assert wrong.value.message == unknown.value.message


async def test_failed_logins_are_bounded_for_account_and_address_and_a_success_clears_them() -> None:
    kit = await open_identity(IdentityConfig(login_burst=3, login_interval=60.0))
    await kit.sign_up()

    async def attempt(password: str, address: str = ADDRESS) -> ErrorCode | None:
        try:
            await kit.service.login(EMAIL, password, address)
        except ChatError as error:
            return error.code
        return None

    assert [await attempt("wrong"), await attempt("wrong"), await attempt(PASSWORD)] == [
        ErrorCode.INVALID_CREDENTIALS,
        ErrorCode.INVALID_CREDENTIALS,
        None,
    ]
    assert [await attempt("wrong") for _ in range(4)][2:] == [ErrorCode.INVALID_CREDENTIALS, ErrorCode.RATE_LIMITED]
    assert await attempt(PASSWORD) is ErrorCode.RATE_LIMITED
    assert await attempt(PASSWORD, "198.51.100.7") is None
    kit.clock.advance(60)
    assert await attempt(PASSWORD) is None


async def test_a_code_is_dead_after_its_attempts_its_time_and_its_use() -> None:
    kit = await open_identity(IdentityConfig(code_attempts=2, code_lifetime=60.0, mail_burst=10))
    await kit.service.signup(EMAIL, PASSWORD, "Jan")
    right = kit.mails.code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for guess in (wrong, wrong, right):
        with pytest.raises(ChatError):
            await kit.service.confirm(EMAIL, guess)
    await kit.service.resend_confirmation(EMAIL)
    kit.clock.advance(61)
    with pytest.raises(ChatError):
        await kit.service.confirm(EMAIL, kit.mails.code())
    await kit.service.forgot_password(EMAIL)
    await kit.service.reset_password(EMAIL, kit.mails.code(), "N3wPassword")
    with pytest.raises(ChatError):
        await kit.service.reset_password(EMAIL, kit.mails.code(), "N3wPassword")


async def test_guesses_at_all_codes_of_an_email_are_bounded() -> None:
    kit = await open_identity(IdentityConfig(guess_burst=2, guess_interval=300.0))
    for expected in (ErrorCode.VALIDATION_ERROR, ErrorCode.VALIDATION_ERROR, ErrorCode.RATE_LIMITED):
        with pytest.raises(ChatError) as error:
            await kit.service.confirm("nobody@example.com", "000000")
        assert code_of(error) is expected


async def test_a_reset_code_does_not_confirm_and_the_other_way_round(kit: IdentityKit) -> None:
    await kit.service.signup(EMAIL, PASSWORD, "Jan")
    with pytest.raises(ChatError):
        await kit.service.reset_password(EMAIL, kit.mails.code(), "N3wPassword")


async def test_confirming_twice_is_no_error(kit: IdentityKit) -> None:
    await kit.sign_up()
    await kit.service.confirm(EMAIL, kit.mails.code())


async def test_a_reset_password_replaces_the_old_one_and_ends_all_sign_ins(kit: IdentityKit) -> None:
    await kit.sign_up()
    tokens = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    await kit.service.forgot_password(EMAIL)
    await kit.service.reset_password(EMAIL, kit.mails.code(), "N3wPassword")
    with pytest.raises(ChatError):
        await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    with pytest.raises(ChatError):
        await kit.service.refresh(tokens.refresh_token)
    await kit.service.login(EMAIL, "N3wPassword", ADDRESS)


async def test_codes_are_sent_only_to_accounts_but_answered_alike_and_bounded() -> None:
    kit = await open_identity(IdentityConfig(mail_burst=2, mail_interval=60.0))
    await kit.service.forgot_password("nobody@example.com")
    await kit.service.resend_confirmation("nobody@example.com")
    assert kit.mails.letters == []
    with pytest.raises(ChatError) as error:
        await kit.service.forgot_password("nobody@example.com")
    assert code_of(error) is ErrorCode.RATE_LIMITED
    await kit.sign_up()
    letters = len(kit.mails.letters)
    await kit.service.resend_confirmation(EMAIL)
    assert len(kit.mails.letters) == letters


async def test_a_letter_that_cannot_be_sent_does_not_undo_the_sign_up(
    kit: IdentityKit, caplog: pytest.LogCaptureFixture
) -> None:
    kit.mails.broken = True
    await kit.service.signup(EMAIL, PASSWORD, "Jan")
    assert "could not be sent" in caplog.text
    kit.mails.broken = False
    await kit.service.resend_confirmation(EMAIL)
    await kit.service.confirm(EMAIL, kit.mails.code())


async def test_a_refresh_rotates_the_refresh_token(kit: IdentityKit) -> None:
    await kit.sign_up()
    first = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    kit.clock.advance(3600)
    second = await kit.service.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert kit.verifier.verify(second.access_token, kit.clock.seconds()).expires_at == kit.clock.seconds() // 1 + 3600
    third = await kit.service.refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3


async def test_a_client_that_lost_the_answer_gets_it_again(kit: IdentityKit) -> None:
    await kit.sign_up()
    first = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    lost = await kit.service.refresh(first.refresh_token)
    kit.clock.advance(9)
    again = await kit.service.refresh(first.refresh_token)
    assert again.refresh_token == lost.refresh_token
    await kit.service.refresh(again.refresh_token)


async def test_a_token_used_again_later_ends_the_sign_in(kit: IdentityKit, caplog: pytest.LogCaptureFixture) -> None:
    await kit.sign_up()
    first = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    second = await kit.service.refresh(first.refresh_token)
    kit.clock.advance(10)
    for dead in (first.refresh_token, second.refresh_token):
        with pytest.raises(ChatError) as error:
            await kit.service.refresh(dead)
        assert code_of(error) is ErrorCode.UNAUTHORIZED
    assert "used twice" in caplog.text


async def test_a_thief_within_the_grace_is_seen_when_both_go_on(kit: IdentityKit) -> None:
    await kit.sign_up()
    stolen = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    owner = await kit.service.refresh(stolen.refresh_token)
    thief = await kit.service.refresh(stolen.refresh_token)
    kit.clock.advance(60)
    owner_next = await kit.service.refresh(owner.refresh_token)
    kit.clock.advance(60)
    for token in (thief.refresh_token, owner_next.refresh_token):
        with pytest.raises(ChatError):
            await kit.service.refresh(token)


async def test_an_old_token_has_no_grace_once_its_successor_was_used(kit: IdentityKit) -> None:
    await kit.sign_up()
    first = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    second = await kit.service.refresh(first.refresh_token)
    third = await kit.service.refresh(second.refresh_token)
    for dead in (first.refresh_token, third.refresh_token):
        with pytest.raises(ChatError):
            await kit.service.refresh(dead)


async def test_a_sign_in_ends_after_its_lifetime_however_often_it_is_refreshed() -> None:
    kit = await open_identity(IdentityConfig(refresh_lifetime=100.0))
    await kit.sign_up()
    tokens = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    kit.clock.advance(99)
    tokens = await kit.service.refresh(tokens.refresh_token)
    kit.clock.advance(1)
    with pytest.raises(ChatError):
        await kit.service.refresh(tokens.refresh_token)


async def test_a_logout_ends_one_sign_in_and_no_other(kit: IdentityKit) -> None:
    await kit.sign_up()
    phone = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    laptop = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    await kit.service.logout(phone.refresh_token)
    await kit.service.logout(phone.refresh_token)
    with pytest.raises(ChatError):
        await kit.service.refresh(phone.refresh_token)
    await kit.service.refresh(laptop.refresh_token)


@pytest.mark.parametrize("token", ["", "x", "ä", "a" * 64, "=" * 64, "A" * 63 + "\n"])
async def test_what_is_no_refresh_token_is_refused(kit: IdentityKit, token: str) -> None:
    with pytest.raises(ChatError) as error:
        await kit.service.refresh(token)
    assert code_of(error) is ErrorCode.UNAUTHORIZED
    await kit.service.logout(token)


async def test_provisioned_users_exist_and_their_tokens_are_good(kit: IdentityKit) -> None:
    users = await provision_users(kit.stores, kit.keys, kit.config, 20, kit.clock)
    for user_id, token in users:
        assert kit.verifier.verify(token, kit.clock.seconds()).user_id == user_id
    assert len(await kit.chat.users.get([user_id for user_id, _ in users])) == 20
    assert len(await provision_users(kit.stores, kit.keys, kit.config, 1, kit.clock)) == 1


async def test_a_user_is_ensured_once(kit: IdentityKit) -> None:
    ids = [await ensure_user(kit.stores, kit.passwords, EMAIL, "Jan", PASSWORD, ("admins",)) for _ in range(2)]
    assert ids[0] == ids[1]
    tokens = await kit.service.login(EMAIL, PASSWORD, ADDRESS)
    assert kit.verifier.verify(tokens.access_token, kit.clock.seconds()).roles == {"admins"}
