"""The garbage collector, set for many objects that live long and few that refer to each other in circles.

Connections and sessions are freed by their reference counts (tests hold that), so there is little to find; and while a
pass runs, everybody waits. CPython counts what came to be less what was freed: a fan-out causes no passes, a storm of
connections does.
"""

import gc
from typing import Final

YOUNG: Final = 10_000
"""Objects by which the process may grow before the new ones are looked through: 3 ms."""
MIDDLE: Final = 3
"""Such passes before those that they left are looked through too: 10 ms."""
OLD: Final = 30
"""Of these, before all are looked through, some 45 for each connection: 19 ms for 1,000 connections. Besides only when
a quarter of all has come since the last time (CPython's `gcmodule.c`)."""


def settle() -> None:
    """Leave what the start has made out of every later pass, and make passes rarer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
