"""Feature flags: for whom one is on."""

import hashlib
import re
from typing import Final
from uuid import UUID

from attrs import field, frozen

from chatcore.errors import invalid

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_STEPS: Final = 10_000


@frozen
class Feature:
    """`percent` is 0 to 100, in steps of a hundredth."""

    name: str
    enabled: bool
    beta_user_ids: frozenset[UUID] = field(default=frozenset[UUID](), converter=frozenset[UUID])
    percent: float = 0.0

    def is_on_for(self, user_id: UUID) -> bool:
        """For everybody when it is enabled, else for its beta users and for `percent` of all.

        Who is among the `percent` hangs on the name and the user alone, so that it is the same on every node and
        after every restart, that nobody falls out when it rises, and that each feature has others.
        """
        return self.enabled or user_id in self.beta_user_ids or _step(self.name, user_id) < self.percent * _STEPS / 100


def check_feature(feature: Feature, *, max_beta_users: int) -> None:
    """Errors: `VALIDATION_ERROR` naming the field."""
    if not _NAME.fullmatch(feature.name):
        raise invalid("name", "must be 1 to 64 of a-z, 0-9, dot, dash and underscore, the first a letter or digit")
    if not 0 <= feature.percent <= 100:
        raise invalid("percent", "must be from 0 to 100")
    if round(feature.percent, 2) != feature.percent:
        raise invalid("percent", "must have at most two decimals")
    if len(feature.beta_user_ids) > max_beta_users:
        raise invalid("betaUserIds", f"must be at most {max_beta_users}")


def _step(name: str, user_id: UUID) -> int:
    digest = hashlib.sha256(f"{name}:{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _STEPS
