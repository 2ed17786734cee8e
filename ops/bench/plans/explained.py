"""The plans of all statements that a server runs, those inside its functions too, by PostgreSQL's auto_explain."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from attrs import frozen

_LOG: Final = "plans.json"

CONFIGURATION: Final = f"""
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = -1
auto_explain.log_format = 'json'
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_timing = off
logging_collector = on
log_destination = 'jsonlog'
log_directory = '.'
log_filename = '{Path(_LOG).stem}'
log_rotation_size = 0
log_rotation_age = 0
log_file_mode = 0600
"""
"""Lines of postgresql.conf; `EXPLAINING` of a session's settings turns it on."""

EXPLAINING: Final = "ALTER DATABASE {} SET auto_explain.log_min_duration = 0"


@frozen
class Scan:
    """A part of a plan that reads a whole table."""

    relation: str
    rows: int
    """Read and passed on, or left out."""
    statement: str


@frozen
class Plan:
    statement: str
    milliseconds: float
    root: dict[str, Any]

    def full_scans(self) -> Iterator[Scan]:
        for node in _nodes(self.root):
            if node["Node Type"] == "Seq Scan":
                rows = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
                if node.get("Actual Loops", 1):
                    yield Scan(str(node["Relation Name"]), int(rows), self.statement)


def plans_of(directory: Path) -> list[Plan]:
    """Of a server whose data is in `directory`, oldest first."""
    found: list[Plan] = []
    with open(directory / _LOG) as log:
        for line in log:
            message: str = json.loads(line).get("message", "")
            if message.startswith("duration: ") and "plan:" in message:
                head, _, body = message.partition("plan:")
                explained = json.loads(body)
                milliseconds = float(head.removeprefix("duration: ").split()[0])
                found.append(Plan(explained["Query Text"], milliseconds, explained["Plan"]))
    return found


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in cast("list[dict[str, Any]]", node.get("Plans", [])):
        yield from _nodes(child)
