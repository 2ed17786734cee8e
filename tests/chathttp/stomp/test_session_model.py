"""The protocol machine beside a plain model, over random frames in random order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chathttp.stomp.acks import make_ack_id
from chathttp.stomp.commands import Ack, Begin, Command, Commit, Connect, Disconnect, Nack, Refused, Send, Subscribe
from chathttp.stomp.errors import StompSyntaxError
from chathttp.stomp.frame import Frame, Version
from chathttp.stomp.session_state import ConnectionLimits, StompServerProtocol

LIMITS = ConnectionLimits(max_subscriptions=3, max_transactions=2, max_transaction_frames=2)

ids = st.sampled_from(["a", "b", "c", "d"])
transactions = st.sampled_from(["t", "u", "v"])
maybe_transaction = st.one_of(st.none(), transactions)
receipts = st.one_of(st.none(), st.sampled_from(["r1", "r2"]))


class ProtocolModel(RuleBasedStateMachine):
    @initialize(version=st.sampled_from(Version))
    def connect(self, version: Version) -> None:
        self.protocol = StompServerProtocol(LIMITS)
        self.version = version
        self.subscriptions: dict[str, str] = {}
        self.transactions: dict[str, list[Command]] = {}
        command = self.protocol.receive(Frame.of("STOMP", {"accept-version": str(version)}))
        assert isinstance(command, Connect)

    def receive(self, name: str, headers: dict[str, str | None], body: bytes = b"") -> Command | None:
        told = {key: value for key, value in headers.items() if value is not None}
        return self.protocol.receive(Frame.of(name, told, body))

    @rule(name=ids, destination=st.sampled_from(["/x", "/y"]), receipt=receipts)
    def subscribe(self, name: str, destination: str, receipt: str | None) -> None:
        command = self.receive("SUBSCRIBE", {"id": name, "destination": destination, "receipt": receipt})
        assert isinstance(command, Subscribe | Refused)
        assert command.receipt == receipt
        if name in self.subscriptions or len(self.subscriptions) == LIMITS.max_subscriptions:
            assert isinstance(command, Refused)
            assert command.subscription == name
        else:
            assert isinstance(command, Subscribe)
            self.subscriptions[name] = destination

    @rule(name=ids, by_server=st.booleans())
    def end_subscription(self, name: str, by_server: bool) -> None:
        if by_server:
            self.protocol.end_subscription(name)
        else:
            self.receive("UNSUBSCRIBE", {"id": name})
        self.subscriptions.pop(name, None)

    def hold(self, transaction: str | None, command: Command | None, expected: Command) -> None:
        if transaction is None:
            assert command == expected
        elif transaction not in self.transactions:
            assert isinstance(command, Refused)
        elif len(self.transactions[transaction]) == LIMITS.max_transaction_frames:
            assert isinstance(command, Refused)
            del self.transactions[transaction]
        else:
            assert command is None
            self.transactions[transaction].append(expected)

    @rule(transaction=maybe_transaction, receipt=receipts, body=st.binary(max_size=3))
    def send(self, transaction: str | None, receipt: str | None, body: bytes) -> None:
        headers = {"destination": "/x", "transaction": transaction, "receipt": receipt}
        self.hold(transaction, self.receive("SEND", headers, body), Send("/x", body, receipt))

    @rule(name=ids, transaction=maybe_transaction, receipt=receipts, kind=st.sampled_from([Ack, Nack]))
    def acknowledge(self, name: str, transaction: str | None, receipt: str | None, kind: type[Ack | Nack]) -> None:
        message_id = make_ack_id(name, 7, "m") if self.version is Version.V12 else "m"
        headers = {"transaction": transaction, "receipt": receipt, "id": message_id}
        if self.version is not Version.V12:
            headers = {"transaction": transaction, "receipt": receipt, "message-id": "m", "subscription": name}
        self.hold(transaction, self.receive(kind.__name__.upper(), headers), kind(name, message_id, receipt))

    @rule(transaction=transactions, receipt=receipts)
    def begin(self, transaction: str, receipt: str | None) -> None:
        command = self.receive("BEGIN", {"transaction": transaction, "receipt": receipt})
        if transaction in self.transactions or len(self.transactions) == LIMITS.max_transactions:
            assert isinstance(command, Refused)
        else:
            assert command == Begin(receipt)
            self.transactions[transaction] = []

    @rule(transaction=transactions, receipt=receipts, word=st.sampled_from(["COMMIT", "ABORT"]))
    def end_transaction(self, transaction: str, receipt: str | None, word: str) -> None:
        command = self.receive(word, {"transaction": transaction, "receipt": receipt})
        held = self.transactions.pop(transaction, None)
        assert isinstance(command, Refused) == (held is None)
        if held is not None and word == "COMMIT":
            assert isinstance(command, Commit)
            assert list(command.items) == held

    @rule(command=st.sampled_from(["CONNECT", "STOMP", "MESSAGE", "RECEIPT"]))
    def send_what_has_no_place(self, command: str) -> None:
        self.assert_malformed(command)

    @rule(command=st.sampled_from(["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT"]))
    def leave_out_the_headers(self, command: str) -> None:
        self.assert_malformed(command)

    def assert_malformed(self, command: str) -> None:
        try:
            self.receive(command, {})
        except StompSyntaxError:
            return
        raise AssertionError(f"{command} was taken")

    @invariant()
    def tables_agree(self) -> None:
        table = {name: subscription.destination for name, subscription in self.protocol.subscriptions.items()}
        assert table == self.subscriptions
        assert self.protocol.version is self.version
        assert self.protocol.connected

    def teardown(self) -> None:
        assert self.receive("DISCONNECT", {"receipt": "bye"}) == Disconnect("bye")
        assert not self.protocol.connected
        self.assert_malformed("DISCONNECT")
        self.assert_malformed("SEND")


TestProtocolModel = ProtocolModel.TestCase
TestProtocolModel.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
