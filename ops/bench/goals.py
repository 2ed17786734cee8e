"""What the server is held to: each figure beside its yardstick of the same run, and the bound of their ratio."""

from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class Goal:
    """`value` is the ratio of ours to the yardstick's, or where there is none our own figure, in `unit`.

    `cores` says which cores server, database and meter had. `value` is None where `note` says why there is none.
    """

    name: str
    value: float | None
    ours: float | None = None
    theirs: float | None = None
    yardstick: str = ""
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    cores: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where nothing was measured."""
        if self.value is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def bound(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@frozen(kw_only=True)
class Goals:
    date: str
    machine: str
    version: str
    rows: Sequence[Goal]


def markdown(goals: Goals) -> str:
    lines = [
        f"{goals.date}, {goals.machine}; stackmentor {goals.version}.",
        "",
        "| what | ours | yardstick | ratio | goal | met | cores |",
        "|---|--:|--:|--:|--:|---|---|",
    ]
    return "\n".join([*lines, *(_line(goal) for goal in goals.rows)]) + "\n"


def _line(goal: Goal) -> str:
    if goal.value is None:
        cells = [goal.name, goal.note, "", "", goal.bound, "not measured", goal.cores]
    else:
        ours = "" if goal.ours is None else f"{_figure(goal.ours)} {goal.unit}".strip()
        theirs = "" if goal.theirs is None else f"{goal.yardstick}: {_figure(goal.theirs)} {goal.unit}".strip()
        ratio = f"{goal.value:.2f}" if goal.theirs is not None else ""
        cells = [goal.name, ours, theirs, ratio, goal.bound, "yes" if goal.met else "no", goal.cores]
    return f"| {' | '.join(cells)} |"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(
    name: str,
    ours: float,
    theirs: float,
    *,
    yardstick: str,
    unit: str,
    cores: str,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Goal:
    return Goal(
        name=name,
        value=ours / theirs,
        ours=ours,
        theirs=theirs,
        yardstick=yardstick,
        unit=unit,
        at_least=at_least,
        at_most=at_most,
        cores=cores,
    )


def figure(
    name: str, ours: float, *, unit: str, cores: str, at_least: float | None = None, at_most: float | None = None
) -> Goal:
    return Goal(name=name, value=ours, ours=ours, unit=unit, at_least=at_least, at_most=at_most, cores=cores)
