"""In-memory twin of `FeatureStore`."""

from uuid import UUID

from actors.adapters.memory.faults import Faults
from chatcore.errors import ChatError, ErrorCode
from chatcore.features import Feature


class MemoryFeatureStore:
    """`FeatureStore` in a dict."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._features: dict[str, Feature] = {}

    async def all(self) -> list[Feature]:
        await self.faults.before("all")
        return [self._features[name] for name in sorted(self._features)]

    async def put(self, feature: Feature, by: UUID, *, limit: int) -> None:
        del by
        await self.faults.before("put")
        if feature.name not in self._features and len(self._features) >= limit:
            raise ChatError(ErrorCode.CONFLICT, f"There are {limit} features already")
        self._features[feature.name] = feature
        self.faults.after("put")

    async def delete(self, name: str) -> bool:
        await self.faults.before("delete")
        return self._features.pop(name, None) is not None
