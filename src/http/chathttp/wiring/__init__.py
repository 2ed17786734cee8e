"""The one place that builds a node and knows every adapter."""

from chathttp.wiring.node import run_node

__all__ = ["run_node"]
