import pytest

from chatcore.errors import ErrorCode
from chathttp.stomp.acks import AckMode
from chathttp.stomp.commands import (
    Abort,
    Ack,
    Begin,
    Command,
    Commit,
    Connect,
    Disconnect,
    Nack,
    Refused,
    Send,
    Subscribe,
    Unsubscribe,
)
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError, UnsupportedVersionError
from chathttp.stomp.frame import Frame, Version
from chathttp.stomp.heartbeat import HeartbeatIntervals
from chathttp.stomp.session_state import ConnectionLimits, StompServerProtocol, Subscription

ACK_ID = "57.0192f0c1-0000-7000-8000-00000000000a.s"


def connected(version: Version = Version.V12, limits: ConnectionLimits | None = None) -> StompServerProtocol:
    protocol = StompServerProtocol(limits)
    protocol.receive(Frame.of("CONNECT", {"accept-version": str(version)}))
    return protocol


def receive(protocol: StompServerProtocol, command: str, body: bytes = b"", **headers: str) -> Command | None:
    """Header names with a hyphen are written with an underscore."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return protocol.receive(Frame.of(command, told, body))


def refused(command: Command | None) -> Refused:
    assert isinstance(command, Refused)
    return command


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_connect_gives_version_heart_beat_and_token(command: str) -> None:
    protocol = StompServerProtocol(subprotocol="v11.stomp", heartbeat_offer=(5_000, 6_000))
    headers = {
        "accept-version": "1.2,1.1",
        "host": "chat.example",
        "heart-beat": "7000,0",
        "Authorization": "Bearer x",
        "passcode": "secret",
    }
    assert not protocol.connected
    assert protocol.receive(Frame.of(command, headers)) == Connect(
        Version.V11, HeartbeatIntervals(0, 7_000), "Bearer x", "chat.example"
    )
    assert protocol.connected
    assert protocol.version is Version.V11


def test_connect_of_an_old_client_has_no_heart_beats() -> None:
    command = receive(StompServerProtocol(), "CONNECT", heart_beat="1000,1000", login="a")
    assert command == Connect(Version.V10, HeartbeatIntervals(0, 0), None, None)


def test_the_token_is_not_in_the_repr() -> None:
    assert "secret" not in repr(receive(StompServerProtocol(), "CONNECT", Authorization="Bearer secret"))


def test_the_authorization_header_may_be_in_lower_case() -> None:
    command = receive(StompServerProtocol(), "CONNECT", authorization="Bearer x")
    assert isinstance(command, Connect)
    assert command.authorization == "Bearer x"


@pytest.mark.contract("limit subscriptions of a connection", "limit transaction of 100 frames and 256 KiB")
def test_the_limits_by_default() -> None:
    assert ConnectionLimits() == ConnectionLimits(
        max_subscriptions=100,
        max_id_bytes=256,
        max_transactions=8,
        max_transaction_frames=100,
        max_transaction_bytes=262_144,
    )


def test_before_connect_errors_are_written_in_1_2() -> None:
    assert StompServerProtocol().version is Version.V12


def test_the_server_offers_ten_seconds_both_ways() -> None:
    command = receive(StompServerProtocol(), "CONNECT", accept_version="1.2", heart_beat="1,2")
    assert isinstance(command, Connect)
    assert command.heartbeat == (10_000, 10_000)


def test_no_version_in_common_leaves_it_unconnected() -> None:
    protocol = StompServerProtocol()
    with pytest.raises(UnsupportedVersionError):
        receive(protocol, "CONNECT", accept_version="9.9")
    assert not protocol.connected


def test_of_a_repeated_header_the_first_counts() -> None:
    headers = (("receipt", "first"), ("destination", "/app/first"), ("destination", "/app/x"), ("receipt", "r"))
    assert connected().receive(Frame("SEND", headers, b"{}")) == Send("/app/first", b"{}", "first")


def test_send() -> None:
    frame = Frame.of("SEND", {"destination": "/app/x", "receipt": "r", "more": "y"}, b"{}")
    assert connected().receive(frame) == Send("/app/x", b"{}", "r")


def test_subscribe_and_unsubscribe() -> None:
    protocol = connected()
    command = receive(protocol, "SUBSCRIBE", id="s", destination="/t", receipt="r")
    assert command == Subscribe("s", "/t", AckMode.AUTO, None, None, "r")
    assert protocol.subscriptions == {"s": Subscription("s", "/t", AckMode.AUTO)}
    assert receive(protocol, "UNSUBSCRIBE", id="s", receipt="q") == Unsubscribe("s", "q")
    assert protocol.subscriptions == {}
    assert receive(protocol, "UNSUBSCRIBE", id="s") == Unsubscribe("s", None)


@pytest.mark.parametrize("mode", list(AckMode))
def test_subscribe_with_ack_mode_and_replay(mode: AckMode) -> None:
    command = receive(
        connected(), "SUBSCRIBE", id="s", destination="/t", ack=str(mode), last_seq="0", last_rev=str(2**63 - 1)
    )
    assert command == Subscribe("s", "/t", mode, 0, 2**63 - 1, None)


@pytest.mark.parametrize("header", ["last-seq", "last-rev"])
@pytest.mark.parametrize("value", ["", "-1", "+1", " 1", "1.0", "x", str(2**63), "9" * 5_000, "٣"])
def test_a_bad_replay_position_is_refused_and_takes_no_place(header: str, value: str) -> None:
    protocol = connected()
    headers = {"id": "s", "destination": "/t", "receipt": "r", header: value}
    command = refused(protocol.receive(Frame.of("SUBSCRIBE", headers)))
    assert (command.code, command.subscription, command.receipt) == (ErrorCode.VALIDATION_ERROR, "s", "r")
    assert command.message.startswith(header)
    assert protocol.subscriptions == {}


def test_an_unknown_ack_mode_is_refused() -> None:
    command = refused(receive(connected(), "SUBSCRIBE", id="s", destination="/t", ack="perhaps"))
    assert (command.code, command.subscription) == (ErrorCode.VALIDATION_ERROR, "s")


def test_a_subscription_id_is_taken_until_it_ends() -> None:
    protocol = connected()
    receive(protocol, "SUBSCRIBE", id="s", destination="/t")
    again = refused(receive(protocol, "SUBSCRIBE", id="s", destination="/u", receipt="r"))
    assert (again.code, again.subscription, again.receipt) == (ErrorCode.VALIDATION_ERROR, "s", "r")
    assert protocol.subscriptions["s"].destination == "/t"
    protocol.end_subscription("s")
    protocol.end_subscription("s")
    assert isinstance(receive(protocol, "SUBSCRIBE", id="s", destination="/u"), Subscribe)


def test_subscriptions_are_limited() -> None:
    protocol = connected()
    for number in range(100):
        assert isinstance(receive(protocol, "SUBSCRIBE", id=f"s{number}", destination="/t"), Subscribe)
    command = refused(receive(protocol, "SUBSCRIBE", id="more", destination="/t"))
    assert command.message == "a connection has at most 100 subscriptions"
    receive(protocol, "UNSUBSCRIBE", id="s5")
    assert isinstance(receive(protocol, "SUBSCRIBE", id="more", destination="/t"), Subscribe)


def test_in_1_0_the_destination_stands_for_a_missing_id() -> None:
    protocol = connected(Version.V10)
    command = receive(protocol, "SUBSCRIBE", destination="/t")
    assert command == Subscribe("/t", "/t", AckMode.AUTO, None, None, None)
    assert receive(protocol, "UNSUBSCRIBE", destination="/t") == Unsubscribe("/t", None)
    assert receive(protocol, "SUBSCRIBE", id="s", destination="/t") == Subscribe(
        "s", "/t", AckMode.AUTO, None, None, None
    )


@pytest.mark.parametrize(("name", "kind"), [("ACK", Ack), ("NACK", Nack)])
def test_acks_by_version(name: str, kind: type[Ack | Nack]) -> None:
    assert receive(connected(Version.V12), name, id=ACK_ID, receipt="r") == kind("s", ACK_ID, "r")
    assert receive(connected(Version.V11), name, message_id="m", subscription="s") == kind("s", "m", None)
    assert receive(connected(Version.V10), name, message_id="m") == kind(None, "m", None)
    assert receive(connected(Version.V10), name, message_id="m", subscription="s") == kind("s", "m", None)


def test_an_ack_id_that_the_server_never_gave_is_refused() -> None:
    command = refused(receive(connected(), "ACK", id="nonsense", receipt="r"))
    assert (command.code, command.receipt, command.subscription) == (ErrorCode.VALIDATION_ERROR, "r", None)


def test_a_transaction_holds_sends_and_acks_until_its_commit() -> None:
    protocol = connected()
    assert receive(protocol, "BEGIN", transaction="t", receipt="b") == Begin("b")
    assert receive(protocol, "SEND", b"{}", destination="/a", transaction="t", receipt="1") is None
    assert receive(protocol, "ACK", id=ACK_ID, transaction="t", receipt="2") is None
    assert receive(protocol, "NACK", id=ACK_ID, transaction="t") is None
    assert isinstance(receive(protocol, "SEND", destination="/now"), Send)
    assert receive(protocol, "COMMIT", transaction="t", receipt="c") == Commit(
        (Send("/a", b"{}", "1"), Ack("s", ACK_ID, "2"), Nack("s", ACK_ID, None)), "c"
    )


def test_an_aborted_transaction_runs_nothing() -> None:
    protocol = connected()
    receive(protocol, "BEGIN", transaction="t")
    assert receive(protocol, "SEND", destination="/a", transaction="t") is None
    assert receive(protocol, "ABORT", transaction="t", receipt="a") == Abort("a")
    command = refused(receive(protocol, "COMMIT", transaction="t", receipt="c"))
    assert (command.code, command.receipt) == (ErrorCode.NOT_FOUND, "c")


def test_a_send_in_no_open_transaction_is_refused_with_its_destination() -> None:
    command = refused(receive(connected(), "SEND", destination="/a", transaction="t", receipt="r"))
    assert (command.code, command.destination, command.receipt) == (ErrorCode.NOT_FOUND, "/a", "r")


def test_a_transaction_over_its_limit_is_dropped() -> None:
    protocol = connected(limits=ConnectionLimits(max_transaction_bytes=60, max_transactions=1))
    receive(protocol, "BEGIN", transaction="t")
    assert receive(protocol, "SEND", b"x" * 30, destination="/a", transaction="t") is None
    command = refused(receive(protocol, "SEND", b"", destination="/a", transaction="t", receipt="r"))
    assert (command.code, command.destination, command.receipt) == (ErrorCode.PAYLOAD_TOO_LARGE, "/a", "r")
    assert refused(receive(protocol, "COMMIT", transaction="t")).code is ErrorCode.NOT_FOUND
    assert receive(protocol, "BEGIN", transaction="u") == Begin(None)
    assert refused(receive(protocol, "BEGIN", transaction="v", receipt="b")).receipt == "b"


def test_nothing_comes_after_disconnect() -> None:
    protocol = connected()
    assert receive(protocol, "DISCONNECT", receipt="bye") == Disconnect("bye")
    assert not protocol.connected
    with pytest.raises(StompSyntaxError, match="SEND after DISCONNECT"):
        receive(protocol, "SEND", destination="/a")


@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE", "ACK", "DISCONNECT", "BEGIN"])
def test_connect_comes_first(command: str) -> None:
    with pytest.raises(StompSyntaxError, match=f"CONNECT comes first, not {command}"):
        receive(StompServerProtocol(), command, destination="/a", id="s")


@pytest.mark.parametrize("command", ["CONNECT", "STOMP", "CONNECTED", "MESSAGE", "RECEIPT", "ERROR"])
def test_commands_out_of_place_are_malformed(command: str) -> None:
    with pytest.raises(StompSyntaxError, match=command):
        receive(connected(), command)


def test_a_server_command_does_not_connect() -> None:
    with pytest.raises(StompSyntaxError, match="a client does not send CONNECTED"):
        receive(StompServerProtocol(), "CONNECTED", version="1.2")


NEEDED: list[tuple[Version, str, dict[str, str], str]] = [
    (Version.V12, "SEND", {}, "destination"),
    (Version.V12, "SEND", {"destination": ""}, "destination"),
    (Version.V12, "SUBSCRIBE", {"id": "s"}, "destination"),
    (Version.V12, "SUBSCRIBE", {"destination": "/t"}, "id"),
    (Version.V11, "SUBSCRIBE", {"destination": "/t", "id": ""}, "id"),
    (Version.V10, "SUBSCRIBE", {"id": "s"}, "destination"),
    (Version.V11, "UNSUBSCRIBE", {"destination": "/t"}, "id"),
    (Version.V10, "UNSUBSCRIBE", {}, "destination"),
    (Version.V12, "ACK", {"message-id": "m", "subscription": "s"}, "id"),
    (Version.V11, "ACK", {"message-id": "m"}, "subscription"),
    (Version.V11, "NACK", {"subscription": "s"}, "message-id"),
    (Version.V10, "ACK", {"subscription": "s"}, "message-id"),
    (Version.V12, "BEGIN", {}, "transaction"),
    (Version.V12, "COMMIT", {}, "transaction"),
    (Version.V12, "ABORT", {}, "transaction"),
]


@pytest.mark.parametrize(("version", "command", "headers", "missing"), NEEDED)
def test_a_needed_header_is_missed(version: Version, command: str, headers: dict[str, str], missing: str) -> None:
    with pytest.raises(StompSyntaxError, match=f"{command} needs the header {missing}"):
        connected(version).receive(Frame.of(command, headers))


@pytest.mark.parametrize(("command", "name"), [("SUBSCRIBE", "id"), ("UNSUBSCRIBE", "id"), ("BEGIN", "transaction")])
def test_ids_that_clients_choose_are_limited(command: str, name: str) -> None:
    protocol = connected(limits=ConnectionLimits(max_id_bytes=4))
    assert not isinstance(protocol.receive(Frame.of(command, {name: "üü", "destination": "/t"})), Refused)
    with pytest.raises(FrameTooLargeError, match=f"{name} has at most 4 octets"):
        protocol.receive(Frame.of(command, {name: "üüx", "destination": "/t"}))
