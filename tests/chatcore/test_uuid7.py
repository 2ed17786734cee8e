"""The bits of RFC 9562 section 5.7, and the order that follows from them."""

from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from chatcore.uuid7 import uuid7

times = st.integers(0, 2**48 - 1)
bits = st.integers(0, 2**80 - 1)


def test_the_example_of_the_rfc() -> None:
    assert str(uuid7(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(times, bits)
def test_time_version_variant_and_randomness_are_where_they_belong(unix_ms: int, random_bits: int) -> None:
    made = uuid7(unix_ms, random_bits)
    assert made.version == 7
    assert made.variant == RFC_4122
    assert made.int >> 80 == unix_ms
    rand_a, rand_b = made.int >> 64 & 0xFFF, made.int & (2**62 - 1)
    assert rand_a << 62 | rand_b == random_bits % 2**74


@given(times, bits, times, bits)
def test_ids_sort_by_the_time_they_were_made(one: int, its: int, other: int, others: int) -> None:
    if one != other:
        assert (uuid7(one, its) < uuid7(other, others)) == (one < other)
        assert (str(uuid7(one, its)) < str(uuid7(other, others))) == (one < other)
