"""Real `@stomp/stompjs` clients against `stackmentor dev`."""

from pathlib import Path

import pytest

from tests.e2e.nodejs import HERE, run_node_tests
from tests.kit.devserver import DevServer


@pytest.mark.parametrize(
    "script", sorted((HERE / "stomp").glob("*.test.mjs")), ids=lambda path: path.stem.removesuffix(".test")
)
def test_stompjs(dev_server: DevServer, script: Path) -> None:
    run_node_tests([script], {"STACKMENTOR_URL": dev_server.url, "STACKMENTOR_WS_URL": dev_server.ws_url})
