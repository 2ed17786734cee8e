"""What asking everything of a large database has found."""

from typing import Final

import attrs

from ops.bench.plans.depths import Depth
from ops.bench.plans.explained import Scan

LARGE: Final = 1000
"""Rows from which on a table must not be read whole."""
MOST: Final = 2.0
"""A deep page may cost so many times what the first costs."""


@attrs.frozen
class Findings:
    """`slowest` are statements and the milliseconds of their dearest run, as a rule the first, from a cold cache."""

    date: str
    machine: str
    messages: int
    conversations: int
    statements: int
    fill_seconds: float
    scans: list[Scan]
    slowest: list[tuple[str, float]]
    depths: list[Depth]

    @property
    def is_good(self) -> bool:
        return not self.scans and all(each.ratio <= MOST for each in self.depths)


def markdown(found: Findings) -> str:
    lines = [
        f"{found.date}, {found.machine}.",
        "",
        f"{found.messages:,} messages in {found.conversations:,} conversations, filled in {found.fill_seconds:,} s;"
        f" {found.statements} statements explained.",
        "",
        f"Tables of more than {LARGE:,} rows read whole: {len(found.scans) or 'none'}.",
        *(f"- {each.relation}, {each.rows:,} rows: `{' '.join(each.statement.split())[:200]}`" for each in found.scans),
        "",
        "| page | first | deep | ratio |",
        "|---|--:|--:|--:|",
        *(f"| {each.what} | {each.first:.2f} ms | {each.deep:.2f} ms | {each.ratio:.2f} |" for each in found.depths),
        "",
        "| slowest statements, their dearest run | ms |",
        "|---|--:|",
        *(f"| `{text[:110].replace('|', ' ')}` | {taken:.1f} |" for text, taken in found.slowest),
    ]
    return "\n".join(lines) + "\n"
