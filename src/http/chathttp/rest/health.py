"""`/actuator/health`: for load balancers and operators."""

from typing import Final

import msgspec
from quart import Blueprint, Response

from chathttp.rest.answers import json_answer
from chathttp.rest.services import Health, HealthState


class _Component(msgspec.Struct, frozen=True):
    status: str


class _HealthJson(msgspec.Struct, frozen=True):
    status: str
    components: dict[str, _Component]


_NO_STORE: Final = {"Cache-Control": "no-store"}


def overall(health: Health, states: dict[str, HealthState]) -> HealthState:
    if any(state is HealthState.DOWN and name in health.essential for name, state in states.items()):
        return HealthState.DOWN
    if any(state is not HealthState.UP for state in states.values()):
        return HealthState.DEGRADED
    return HealthState.UP


def _probe_answer(*, good: bool) -> Response:
    state = HealthState.UP if good else HealthState.DOWN
    return json_answer(_Component(state.value), 200 if good else 503, _NO_STORE)


def health_blueprint(health: Health) -> Blueprint:
    blueprint = Blueprint("health", __name__, url_prefix="/actuator/health")

    @blueprint.get("")
    async def whole() -> Response:
        states = {name: probe() for name, probe in health.components.items()}
        state = overall(health, states)
        components = {name: _Component(each.value) for name, each in states.items()}
        status = 503 if state is HealthState.DOWN else 200
        return json_answer(_HealthJson(state.value, components), status, _NO_STORE)

    @blueprint.get("/liveness")
    async def liveness() -> Response:
        return _probe_answer(good=health.alive())

    @blueprint.get("/readiness")
    async def readiness() -> Response:
        return _probe_answer(good=health.ready())

    return blueprint
