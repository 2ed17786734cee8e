import pytest

from chathttp.stomp import heartbeat, version
from chathttp.stomp.errors import StompSyntaxError, UnsupportedVersionError
from chathttp.stomp.frame import Version


@pytest.mark.contract("STOMP 1.2, 1.1 and 1.0")
@pytest.mark.parametrize(
    ("accepted", "subprotocol", "agreed"),
    [
        (None, None, Version.V10),
        (None, "v12.stomp", Version.V10),
        ("1.0", None, Version.V10),
        ("1.2,1.1,1.0", None, Version.V12),
        ("1.0,1.1", None, Version.V11),
        ("1.0, 1.2 ", None, Version.V12),
        ("1.3,1.1", None, Version.V11),
        ("1.2,1.1,1.0", "v12.stomp", Version.V12),
        ("1.2,1.1,1.0", "v11.stomp", Version.V11),
        ("1.2,1.1,1.0", "v10.stomp", Version.V10),
        ("1.1", "v12.stomp", Version.V11),
        ("1.2", "something", Version.V12),
    ],
)
def test_the_agreed_version(accepted: str | None, subprotocol: str | None, agreed: Version) -> None:
    assert version.negotiate(accepted, subprotocol) is agreed


@pytest.mark.parametrize("accepted", ["", "2.0", "1.3,9", "v12.stomp"])
def test_nothing_in_common_names_what_is_supported(accepted: str) -> None:
    with pytest.raises(UnsupportedVersionError, match=r"1\.0,1\.1,1\.2"):
        version.negotiate(accepted)


@pytest.mark.contract("subprotocols v12.stomp, v11.stomp, v10.stomp")
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["v10.stomp", "v11.stomp", "v12.stomp"], "v12.stomp"),
        (["v11.stomp", "v10.stomp"], "v11.stomp"),
        (["mqtt"], None),
        ([], None),
    ],
)
def test_the_best_subprotocol_is_chosen(offered: list[str], chosen: str | None) -> None:
    assert version.choose_subprotocol(offered) == chosen


@pytest.mark.contract("heart-beats")
@pytest.mark.parametrize(
    ("peer", "own", "intervals"),
    [
        (None, (10_000, 10_000), (0, 0)),
        ("0,0", (10_000, 10_000), (0, 0)),
        ("10000,10000", (10_000, 10_000), (10_000, 10_000)),
        ("4000,20000", (10_000, 10_000), (20_000, 10_000)),
        ("20000,4000", (10_000, 10_000), (10_000, 20_000)),
        ("20000,0", (10_000, 10_000), (0, 20_000)),
        ("0,20000", (10_000, 10_000), (20_000, 0)),
        ("20000,20000", (0, 0), (0, 0)),
        ("5,7", (0, 10), (0, 10)),
        ("5,7", (10, 0), (10, 0)),
        (" 5 , 7 ", (10, 10), (10, 10)),
        ("9999999999,9999999999", (10_000, 10_000), (300_000, 0)),
        ("300000,300000", (10_000, 10_000), (300_000, 300_000)),
    ],
)
def test_heart_beat_intervals(peer: str | None, own: tuple[int, int], intervals: tuple[int, int]) -> None:
    agreed = heartbeat.negotiate(peer, own)
    assert agreed == intervals
    assert (agreed.send_ms, agreed.expect_ms) == intervals


@pytest.mark.parametrize("peer", ["", "1", "1,2,3", "a,b", "-1,0", "1.5,0", ",", "1,", "99999999999,0", "٣,٣"])
def test_a_malformed_heart_beat_is_refused(peer: str) -> None:
    with pytest.raises(StompSyntaxError, match="heart-beat"):
        heartbeat.negotiate(peer)


def test_both_ends_come_to_the_same_intervals() -> None:
    for client in [(0, 0), (5_000, 20_000), (20_000, 5_000), (0, 10_000), (10_000, 0)]:
        server = heartbeat.negotiate(f"{client[0]},{client[1]}", (10_000, 15_000))
        assert heartbeat.negotiate("10000,15000", client) == (server.expect_ms, server.send_ms)
