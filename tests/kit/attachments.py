"""Attachments over in-memory rows, for kits that need a desk."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from actors.adapters.memory.objects import MemoryObjects
from actors.attachments.desk import AttachmentDesk, AttachmentPolicy
from actors.attachments.ports import AttachmentStore, ObjectStore
from actors.caching.cache import Cache, CachePolicy
from actors.caching.members import Members
from actors.ports import Standings

POLICY = AttachmentPolicy(
    content_types=frozenset({"image/png", "text/plain", "video/mp4"}), max_bytes=300_000_000, max_unused=5
)


def members_of(standings: Standings) -> Members:
    """Nothing is kept longer than for those who ask at the same moment."""
    return Members(standings, Cache("members", CachePolicy(1000, 1e-9, 1e-9)))


def attachment_desk(
    rows: AttachmentStore,
    standings: Standings,
    objects: ObjectStore | None = None,
    policy: AttachmentPolicy = POLICY,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AttachmentDesk:
    return AttachmentDesk(
        rows, objects or MemoryObjects(), members_of(standings), policy, new_id=uuid4, rng=random.Random(1), now=now
    )
