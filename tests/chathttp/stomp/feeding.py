"""Ways to give octets to a decoder: every fixture is fed in each of them."""

from collections.abc import Callable

import pytest

from chathttp.stomp.codec import Decoder
from chathttp.stomp.frame import Frame, HeartBeat

Feed = Callable[[Decoder, bytes], list[Frame | HeartBeat]]


def feed_at_once(decoder: Decoder, octets: bytes) -> list[Frame | HeartBeat]:
    return decoder.feed(octets)


def feed_each(decoder: Decoder, octets: bytes) -> list[Frame | HeartBeat]:
    return [item for octet in octets for item in decoder.feed(bytes((octet,)))]


def feed_message(feed: Feed, decoder: Decoder, message: bytes) -> list[Frame | HeartBeat]:
    return [*feed(decoder, message), *decoder.end_of_message()]


both_ways = pytest.mark.parametrize("feed", [feed_at_once, feed_each])
