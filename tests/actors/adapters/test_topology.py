"""Which master of a cluster carries a channel."""

from actors.adapters.redis.topology import ALONE, Topology


def test_alone_all_is_at_the_one_server() -> None:
    assert not ALONE.sharded
    assert {ALONE.master_of(f"channel.{number}") for number in range(100)} == {0}


def test_each_master_is_probed_by_a_channel_of_its_own_slots_that_names_the_node() -> None:
    owners = tuple(slot * 3 // 16_384 for slot in range(16_384))
    topology = Topology((("a", 1), ("b", 2), ("c", 3)), owners)
    assert topology.sharded
    for master in range(3):
        one, other = topology.probe_channel(master, "one"), topology.probe_channel(master, "other")
        assert topology.master_of(one) == topology.master_of(other) == master
        assert one != other


def test_keys_with_the_same_tag_are_at_the_same_master() -> None:
    topology = Topology((("a", 1), ("b", 2)), tuple(slot % 2 for slot in range(16_384)))
    assert len({topology.master_of(f"{{presence}}.{number}") for number in range(50)}) == 1
    assert len({topology.master_of(f"presence.{number}") for number in range(50)}) == 2
