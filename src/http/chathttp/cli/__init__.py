"""The command ``stackmentor``."""

from chathttp.cli.app import main

__all__ = ["main"]
