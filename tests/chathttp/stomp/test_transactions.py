import pytest

from chatcore.errors import ChatError, ErrorCode
from chathttp.stomp.transactions import Transactions


def refusal(error: pytest.ExceptionInfo[ChatError]) -> ErrorCode:
    return error.value.code


def test_items_come_back_in_order_and_once() -> None:
    transactions = Transactions[str]()
    transactions.begin("a")
    transactions.begin("b")
    for item in ("1", "2", "3"):
        transactions.add("a", item, 1)
    transactions.add("b", "other", 1)
    assert transactions.commit("a") == ("1", "2", "3")
    with pytest.raises(ChatError) as error:
        transactions.commit("a")
    assert refusal(error) is ErrorCode.NOT_FOUND
    assert transactions.commit("b") == ("other",)


def test_an_aborted_transaction_is_gone() -> None:
    transactions = Transactions[str]()
    transactions.begin("a")
    transactions.add("a", "1", 1)
    transactions.abort("a")
    with pytest.raises(ChatError) as error:
        transactions.add("a", "2", 1)
    assert refusal(error) is ErrorCode.NOT_FOUND
    with pytest.raises(ChatError) as error:
        transactions.abort("a")
    assert refusal(error) is ErrorCode.NOT_FOUND
    transactions.begin("a")
    assert transactions.commit("a") == ()


def test_an_open_transaction_is_not_begun_again() -> None:
    transactions = Transactions[str]()
    transactions.begin("a")
    transactions.add("a", "1", 1)
    with pytest.raises(ChatError) as error:
        transactions.begin("a")
    assert refusal(error) is ErrorCode.VALIDATION_ERROR
    assert transactions.commit("a") == ("1",)


@pytest.mark.parametrize(
    ("max_frames", "max_bytes", "sizes"), [(2, 100, [1, 1, 1]), (100, 10, [5, 5, 1]), (100, 10, [11])]
)
def test_one_that_goes_over_a_limit_is_dropped_whole(max_frames: int, max_bytes: int, sizes: list[int]) -> None:
    transactions = Transactions[str](max_frames, max_bytes)
    transactions.begin("a")
    for size in sizes[:-1]:
        transactions.add("a", "x", size)
    with pytest.raises(ChatError) as error:
        transactions.add("a", "x", sizes[-1])
    assert refusal(error) is ErrorCode.PAYLOAD_TOO_LARGE
    with pytest.raises(ChatError) as error:
        transactions.commit("a")
    assert refusal(error) is ErrorCode.NOT_FOUND


@pytest.mark.contract("limit transaction of 100 frames and 256 KiB")
def test_the_defaults_are_the_contracts() -> None:
    transactions = Transactions[int]()
    transactions.begin("frames")
    for number in range(100):
        transactions.add("frames", number, 2_621)
    transactions.begin("bytes")
    transactions.add("bytes", 0, 262_144)
    with pytest.raises(ChatError, match="100 frames and 262144 octets"):
        transactions.add("frames", 100, 0)
    with pytest.raises(ChatError, match="100 frames and 262144 octets"):
        transactions.add("bytes", 1, 1)


def test_eight_are_open_at_a_time_by_default() -> None:
    transactions = Transactions[int]()
    for name in "abcdefgh":
        transactions.begin(name)
    with pytest.raises(ChatError, match="at most 8 open transactions"):
        transactions.begin("i")


def test_only_so_many_are_open_at_a_time() -> None:
    transactions = Transactions[str](max_open=2)
    transactions.begin("a")
    transactions.begin("b")
    with pytest.raises(ChatError, match="at most 2 open transactions"):
        transactions.begin("c")
    transactions.commit("a")
    transactions.begin("c")
