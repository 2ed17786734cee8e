from uuid import UUID

from actors.bridge.peers import MEMORY_SECONDS, Peers

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_a_node_is_silent_after_three_missed_beats_until_it_is_heard_again() -> None:
    peers = Peers(0.5)
    assert not peers.any_unheard(100.0)
    peers.heard(ONE, 0.0)
    assert not peers.any_unheard(1.5)
    peers.heard(OTHER, 1.5)
    assert peers.any_unheard(1.6)
    peers.heard(ONE, 1.7)
    assert not peers.any_unheard(1.8)
    assert len(peers) == 2


def test_who_says_farewell_is_not_waited_for() -> None:
    peers = Peers(0.5)
    peers.heard(ONE, 0.0)
    peers.heard(ONE, 1.0, leaves=True)
    assert not peers.any_unheard(100.0)
    assert len(peers) == 0


def test_who_stays_silent_is_forgotten_at_last() -> None:
    peers = Peers(0.5)
    peers.heard(ONE, 0.0)
    assert peers.any_unheard(MEMORY_SECONDS)
    assert not peers.any_unheard(MEMORY_SECONDS + 1)
    assert len(peers) == 0


def test_who_is_not_understood_is_unheard_while_he_is_there() -> None:
    peers = Peers(0.5)
    assert not peers.any_unheard(0.0)
    peers.heard_foreign(1.0)
    assert peers.any_unheard(2.5)
    assert not peers.any_unheard(2.6)
    assert len(peers) == 0
