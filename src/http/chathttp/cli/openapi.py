"""``stackmentor openapi``: the REST contract."""

import sys
from importlib.resources import files


def openapi() -> None:
    """Print the OpenAPI description, the same as the server serves at /openapi.yaml."""
    sys.stdout.write((files("chathttp.rest") / "static/openapi.yaml").read_text("utf-8"))
