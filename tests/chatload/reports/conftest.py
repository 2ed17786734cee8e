"""The end-to-end tests' Chromium, to look at the page with."""

from tests.e2e.conftest import browser

__all__ = ["browser"]
