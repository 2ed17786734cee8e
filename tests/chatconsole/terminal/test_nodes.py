"""Which node is looked at after the one before is gone."""

from chatconsole.beacon import Beacon
from chatconsole.terminal.nodes import successor

OLD = Beacon(1, "127.0.0.1", 8081, "t1", 1.0, "http://127.0.0.1:8080")
OTHER = Beacon(2, "127.0.0.1", 8082, "t2", 2.0, "http://127.0.0.1:8090")


def test_same_process_is_itself() -> None:
    assert successor([OLD, OTHER], OLD, {1, 2}) is OLD


def test_restarted_node_is_known_by_where_it_serves_or_is_managed() -> None:
    by_address = Beacon(3, "127.0.0.1", 9999, "t3", 3.0, OLD.serves)
    by_management = Beacon(3, "127.0.0.1", 8081, "t3", 3.0, "http://127.0.0.1:7777")
    assert successor([OTHER, by_address], OLD, {1, 2}) is by_address
    assert successor([OTHER, by_management], OLD, {1, 2}) is by_management


def test_new_node_on_other_ports_takes_the_place_but_a_sibling_never_does() -> None:
    new = Beacon(3, "127.0.0.1", 9999, "t3", 3.0, "http://127.0.0.1:7777")
    assert successor([OTHER, new], OLD, {1, 2}) is new
    assert successor([OTHER], OLD, {1, 2}) is None


def test_worker_is_no_siblings_successor_though_both_serve_at_one_address() -> None:
    sibling = Beacon(2, "127.0.0.1", 8082, "t2", 2.0, OLD.serves)
    replaced = Beacon(3, "127.0.0.1", 8083, "t3", 3.0, OLD.serves)
    assert successor([sibling], OLD, {1, 2}) is None
    assert successor([sibling, replaced], OLD, {1, 2}) is replaced
