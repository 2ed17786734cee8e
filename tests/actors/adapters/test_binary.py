"""The binary forms, against struct and against PostgreSQL itself."""

import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from actors.adapters.postgres.binary import TEXT_ARRAY, UUID_ARRAY, array, bigint, timestamptz


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_bigint_is_eight_bytes_with_a_sign(value: int) -> None:
    assert bigint(struct.pack("!q", value)) == value


def test_a_time_counts_microseconds_from_the_year_2000() -> None:
    assert timestamptz(struct.pack("!q", 1)) == datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)
    assert timestamptz(struct.pack("!q", -1)) == datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_postgres_reads_arrays_as_they_were_meant(database_url: str) -> None:
    ids = [UUID(int=1), UUID(int=2**128 - 1)]
    texts = ["", "zażółć \U0001f600", None]
    with psycopg.connect(database_url) as connection:
        result = connection.pgconn.exec_params(
            b"SELECT $1::uuid[]::text, $2::text[]::text, cardinality($3::uuid[])",
            [
                array(UUID_ARRAY, [each.bytes for each in ids]),
                array(TEXT_ARRAY, [None if each is None else each.encode() for each in texts]),
                array(UUID_ARRAY, [None]),
            ],
            param_formats=[1, 1, 1],
        )
        found = [result.get_value(0, column) for column in range(3)]
    assert found == [
        b"{%s,%s}" % tuple(str(each).encode() for each in ids),
        '{"","zażółć \U0001f600",NULL}'.encode(),
        b"1",
    ]
