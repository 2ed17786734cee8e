"""What the feature flags need from storage."""

from typing import Protocol
from uuid import UUID

from chatcore.features import Feature


class FeatureStore(Protocol):
    """Every method may raise `ChatError` with `UNAVAILABLE`; for a write that means that its outcome is unknown."""

    async def all(self) -> list[Feature]:
        """By name."""
        ...

    async def put(self, feature: Feature, by: UUID, *, limit: int) -> None:
        """Set it, new or not. Errors: `CONFLICT` when it is new and there are `limit` of them."""
        ...

    async def delete(self, name: str) -> bool:
        """Whether there was one."""
        ...
