"""A run as one page that needs nothing else: no network, and no script to be read."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from chatload.reports.chart import chart_sheet, escaped
from chatload.reports.compare import Change, compare, differences, margin_note, shown_ratio
from chatload.reports.drawings import latency_histograms, over_time, percentile_curve
from chatload.reports.figures import (
    LATENCIES,
    PERCENTILES,
    Unit,
    cpu_per_delivery,
    measured_latencies,
    shown,
    shown_parameter,
)
from chatload.reports.thresholds import ThresholdOutcome
from chatload.reports.verdict import fault_counts, judge, meter_limit
from chatload.result import Result


def write_html(
    result: Result, path: Path, compared: Result | None = None, outcomes: Sequence[ThresholdOutcome] = ()
) -> None:
    """Raises `OSError`."""
    path.write_bytes(render_html(result, compared, outcomes).encode("utf-8"))


def render_html(result: Result, compared: Result | None = None, outcomes: Sequence[ThresholdOutcome] = ()) -> str:
    """The page. Its policy lets it load nothing and run no script but its own, which shows figures on hovering."""
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    title = escaped(f"Load test: {result.scenario}")
    latencies = [percentile_curve(result, compared), *latency_histograms(result)]
    parts = [
        _header(title, result),
        _verdict(result, outcomes),
        _tiles(result),
        _section("Latency", _latency_table(result) + _charts(latencies)),
        _section("Over time", _charts(over_time(result))),
        _side_by_side([_rates(result), _faults(result), _thresholds(outcomes)]),
        _comparison(result, compared),
        _side_by_side([_parameters(result), _hardware(result)]),
        _list("Notes", result.notes),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>\n{chart_sheet()}{_asset('report.css')}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(parts)}</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return files("chatload.reports").joinpath("static", name).read_text("utf-8")


def _header(title: str, result: Result) -> str:
    about = f"{result.url}, started {result.started_at}, took {result.seconds:,.0f} s"
    return f"<header><h1>{title}</h1><p>{escaped(about)}</p></header>\n"


def _verdict(result: Result, outcomes: Sequence[ThresholdOutcome]) -> str:
    verdict = judge(result, outcomes)
    kind, word = ("passed", "Passed") if verdict.passed else ("failed", "Failed")
    reasons = "".join(f"<li>{escaped(reason)}</li>" for reason in verdict.reasons)
    limit = meter_limit(result)
    warning = f'<p class="box warning">{escaped(limit)}</p>\n' if limit else ""
    return f'<div class="box {kind}"><strong>{word}</strong><ul>{reasons}</ul></div>\n{warning}'


def _tiles(result: Result) -> str:
    main = next(iter(measured_latencies(result).items()), None)
    tiles: list[tuple[str, str]] = []
    if main is not None:
        kind, latency = main
        tiles += [(f"{kind} {name}", shown(PERCENTILES[name](latency), Unit.MILLISECONDS)) for name in ("p50", "p99")]
    tiles += [
        ("deliveries", shown(result.rates.get("deliveries"), Unit.PER_SECOND)),
        ("server CPU a delivery", shown(cpu_per_delivery(result), Unit.MICROSECONDS)),
        ("server memory", shown(result.server_rss, Unit.BYTES)),
        ("faults", shown(result.faults.total, Unit.COUNT)),
    ]
    cells = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(figure)}</dd></div>" for name, figure in tiles)
    return f'<dl class="tiles">{cells}</dl>\n'


def _latency_table(result: Result) -> str:
    rows = [
        (
            kind,
            *(shown(read(latency), Unit.MILLISECONDS) for read in PERCENTILES.values()),
            shown(latency.count, Unit.COUNT),
            LATENCIES.get(kind, ""),
        )
        for kind, latency in measured_latencies(result).items()
    ]
    return _table(("", *PERCENTILES, "samples", "timed from and to"), rows, numbers=range(1, 7))


def _rates(result: Result) -> str:
    rows = [(name, shown(rate, Unit.PER_SECOND)) for name, rate in result.rates.items()]
    rows += [(f"{name}, in all", shown(count, Unit.COUNT)) for name, count in result.counts.items()]
    rows += [
        ("server CPU", shown(result.server_cpu, Unit.CORES)),
        ("server CPU a delivery", shown(cpu_per_delivery(result), Unit.MICROSECONDS)),
        ("server memory", shown(result.server_rss, Unit.BYTES)),
        (f"meter CPU, processes: {result.meter_processes}", shown(result.meter_cpu, Unit.CORES)),
    ]
    return _section("Rates and use", _table((), rows, numbers=(1,)))


def _faults(result: Result) -> str:
    rows = [(name, shown(count, Unit.COUNT)) for name, count in fault_counts(result.faults)]
    return _section("Faults", _table((), rows, numbers=(1,)))


def _thresholds(outcomes: Sequence[ThresholdOutcome]) -> str:
    if not outcomes:
        return ""
    rows = [(each.text, each.figure, "kept" if each.passed else "broken") for each in outcomes]
    marks = ["better" if each.passed else "worse" for each in outcomes]
    return _section("Thresholds", _table((), rows, numbers=(1,), marks=marks))


def _comparison(result: Result, old: Result | None) -> str:
    if old is None:
        return ""
    compared = compare(result, old)
    rows = [
        (row.name, shown(row.old, row.unit), shown(row.new, row.unit), shown_ratio(row.ratio), row.change.value)
        for row in compared
    ]
    marks = [row.change.value if row.change in (Change.BETTER, Change.WORSE) else "" for row in compared]
    warnings = "".join(f"<li>{escaped(each)}</li>" for each in differences(result, old))
    return _section(
        f"Compared with the run of {old.started_at}",
        (f'<div class="box warning"><strong>Not the same</strong><ul>{warnings}</ul></div>' if warnings else "")
        + _table(("", "then", "now", "now / then", ""), rows, numbers=range(1, 4), marks=marks)
        + f"<p>{escaped(margin_note())}</p>",
    )


def _parameters(result: Result) -> str:
    rows = [(name, shown_parameter(value)) for name, value in result.parameters.items()]
    return _section("Parameters", _table((), rows))


def _hardware(result: Result) -> str:
    hardware = result.hardware
    rows = [
        ("meter's CPU", f"{hardware.cpu}, {hardware.cores} cores"),
        ("meter's memory", shown(hardware.memory, Unit.BYTES)),
        ("system", hardware.system),
        ("Python", hardware.python),
        ("server", "on the meter's host, sharing its cores" if hardware.same_host else "on another host"),
        ("server's figures from", hardware.server or "nowhere"),
    ]
    return _section("Hardware", _table((), rows))


def _list(title: str, lines: Sequence[str]) -> str:
    return _section(title, f"<ul>{''.join(f'<li>{escaped(each)}</li>' for each in lines)}</ul>") if lines else ""


def _section(title: str, inner: str) -> str:
    return f"<section><h2>{escaped(title)}</h2>\n{inner}</section>\n"


def _side_by_side(sections: Sequence[str]) -> str:
    return f'<div class="columns">{"".join(sections)}</div>\n'


def _charts(charts: Iterable[str]) -> str:
    return f'<div class="charts">{"".join(f"<figure>{chart}</figure>" for chart in charts)}</div>\n'


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    marks: Sequence[str] = (),
) -> str:
    """The first cell of a row heads it. `numbers` are the columns set to the right, `marks` a class for each row."""

    def row(cells: Sequence[str], mark: str) -> str:
        inner = "".join(
            f"<td{_number(place in numbers)}>{escaped(cell)}</td>" if place else f'<th scope="row">{escaped(cell)}</th>'
            for place, cell in enumerate(cells)
        )
        return f"<tr{mark}>{inner}</tr>"

    head = "".join(
        f'<th scope="col"{_number(place in numbers)}>{escaped(heading)}</th>' for place, heading in enumerate(headings)
    )
    body = "".join(row(cells, f' class="{marks[place]}"' if marks else "") for place, cells in enumerate(rows))
    head = f"<thead><tr>{head}</tr></thead>" if headings else ""
    return f'<div class="table"><table>{head}<tbody>{body}</tbody></table></div>\n'


def _number(it_is: bool) -> str:
    return ' class="number"' if it_is else ""
