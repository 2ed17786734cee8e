"""UUID version 7 (RFC 9562 section 5.7): ids that sort by the time they were made."""

from uuid import UUID


def uuid7(unix_ms: int, random_bits: int) -> UUID:
    """The UUIDv7 of `unix_ms` (milliseconds since 1970, 48 bits) and the low 74 of `random_bits`."""
    rand_a = (random_bits >> 62) & 0xFFF
    rand_b = random_bits & 0x3FFF_FFFF_FFFF_FFFF
    value = ((unix_ms & 0xFFFF_FFFF_FFFF) << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
    return UUID(int=value)
