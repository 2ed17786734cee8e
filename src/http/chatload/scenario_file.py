"""Scenarios as TOML files: `kind` and the keys of that kind."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from chatload.scenario import KINDS, Scenario, ScenarioError, make_scenario


def read_scenario(name: str, overrides: Mapping[str, object]) -> Scenario:
    """The scenario that `name` means: a kind with its defaults, else a TOML file; `overrides` win.

    A rate among the overrides opens a closed loop, and `in_flight` closes an open one. Raises `ScenarioError`.
    """
    if name in KINDS:
        return make_scenario(name, overrides)
    path = Path(name)
    values = _read(path)
    kind = values.pop("kind", None)
    if not isinstance(kind, str):
        raise ScenarioError(f"{path}: kind must be one of {', '.join(KINDS)}")
    if overrides.get("rate"):
        values.pop("in_flight", None)
    if overrides.get("in_flight"):
        values.pop("rate", None)
    try:
        return make_scenario(kind, {**values, **overrides})
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        kinds = ", ".join(KINDS)
        raise ScenarioError(f"{path} is neither a kind of scenario ({kinds}) nor a file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
