from itertools import count

from chathttp.ids import IdSource


def test_ids_sort_by_time_and_use_each_random_byte_once() -> None:
    clock = count(1_000)
    pools: list[bytes] = []

    def entropy(size: int) -> bytes:
        pools.append(bytes((len(pools) * 7 + n * n // 11) % 256 for n in range(size)))
        return pools[-1]

    make = IdSource(lambda: next(clock), entropy)
    ids = [make() for _ in range(1000)]
    assert ids == sorted(ids)
    assert [each.version for each in ids] == [7] * 1000
    assert [each.int >> 80 for each in ids] == list(range(1_000, 2_000))
    stream = b"".join(pools)
    assert [each.int & (1 << 62) - 1 for each in ids] == [
        int.from_bytes(stream[n : n + 10]) & (1 << 62) - 1 for n in range(0, 10_000, 10)
    ]


def test_ids_differ() -> None:
    make = IdSource()
    assert len({make() for _ in range(10_000)}) == 10_000
