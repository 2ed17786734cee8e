"""What is known of a node: the newest of each section that it told."""

from typing import Final

import msgspec
from attrs import frozen

from chatconsole.api.messages import Section, Snapshot

_SECTIONS: Final = tuple(section.value for section in Section)


@frozen
class Board:
    """`now` has all sections that ever came, `before` the snapshot that the newest replaced, for rates. `stale` are
    the sections that the newest snapshot did not bear.
    """

    now: Snapshot | None = None
    before: Snapshot | None = None
    stale: frozenset[str] = frozenset()

    def with_snapshot(self, new: Snapshot) -> "Board":
        if self.now is None:
            return Board(new)
        missing = [name for name in _SECTIONS if getattr(new, name) is None]
        kept = {name: getattr(self.now, name) for name in missing}
        stale = frozenset(name for name, part in kept.items() if part is not None)
        return Board(msgspec.structs.replace(new, **kept), self.now, stale)

    @property
    def is_read_only(self) -> bool:
        """No action is allowed; also as long as nothing is known."""
        return self.now is None or self.now.node.read_only
