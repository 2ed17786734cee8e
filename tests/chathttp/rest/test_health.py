from collections.abc import AsyncGenerator

import pytest

from chathttp.rest.services import HealthState
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest() as kit:
        yield kit


@pytest.mark.contract("GET /actuator/health")
@pytest.mark.parametrize(
    ("database", "redis", "status", "whole"),
    [
        (HealthState.UP, HealthState.UP, 200, "UP"),
        (HealthState.UP, HealthState.DOWN, 200, "DEGRADED"),
        (HealthState.DEGRADED, HealthState.UP, 200, "DEGRADED"),
        (HealthState.DOWN, HealthState.UP, 503, "DOWN"),
    ],
)
async def test_the_node_is_down_only_with_its_database(
    rest: RestKit, database: HealthState, redis: HealthState, status: int, whole: str
) -> None:
    rest.health.database, rest.health.redis = database, redis
    answer = await rest.call("GET", "/actuator/health")
    assert (answer.status, answer.json["status"]) == (status, whole)
    assert answer.json["components"] == {"database": {"status": database.value}, "redis": {"status": redis.value}}


@pytest.mark.contract("GET /actuator/health/liveness", "GET /actuator/health/readiness")
async def test_liveness_and_readiness_do_not_ask_the_database(rest: RestKit) -> None:
    rest.health.database = HealthState.DOWN
    for probe in ("liveness", "readiness"):
        answer = await rest.call("GET", f"/actuator/health/{probe}")
        assert (answer.status, answer.json) == (200, {"status": "UP"})
    rest.health.ready = False
    assert (await rest.call("GET", "/actuator/health/readiness")).status == 503
    assert (await rest.call("GET", "/actuator/health/liveness")).status == 200
    rest.health.alive = False
    assert (await rest.call("GET", "/actuator/health/liveness")).status == 503
