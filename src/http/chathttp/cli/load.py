"""``stackmentor load``: the load tester."""

import contextlib
import sys
from collections.abc import Generator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn
from urllib.parse import urlsplit

import attrs
import trio
import typer

from chathttp.cli.database import database_of
from chathttp.cli.environment import QUIET, read_settings
from chathttp.dev.accounts import provision_tokens
from chathttp.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from chatload.progress import Progress
    from chatload.result import Result
    from chatload.scenario import Scenario
    from chatload.server_probe import ServerProbe
    from chatload.users import LoadUser

_WRONG_ARGUMENT: Final = 2
_FAILED: Final = 1
_MOST_USERS: Final = 100_000
_TOKEN_RESERVE: Final = 600.0
"""Seconds that a minted token outlives the run."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def load(
    scenario: Annotated[str, typer.Argument(help="A kind of scenario (such as fanout), or a TOML file of one.")],
    url: Annotated[
        list[str] | None,
        typer.Option(help="A server; the local one by default. May be repeated: connections are spread over all."),
    ] = None,
    tokens: Annotated[
        Path | None, typer.Option(help="What `stackmentor token` wrote; for a local `dev` they are made by default.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The data directory of a local `dev`.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes of the meter; all cores but one.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON.")] = None,
    html_out: Annotated[Path | None, typer.Option("--html", help="Write the result as a page.")] = None,
    compare: Annotated[Path | None, typer.Option(help="An older JSON result to compare with.")] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help="A limit that the run must keep, such as p99<50ms; may be repeated.")
    ] = None,
    server_pid: Annotated[
        list[int] | None, typer.Option(min=1, help="A server's process, on this machine; may be repeated.")
    ] = None,
    metrics_url: Annotated[
        list[str] | None, typer.Option(help="A server's Prometheus metrics; may be repeated.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Messages a second, whether or not the server keeps up.")] = None,
    in_flight: Annotated[int | None, typer.Option(help="Messages on their way at once, instead of a rate.")] = None,
    size: Annotated[int | None, typer.Option(help="Characters of a message's text.")] = None,
    ramp: Annotated[float | None, typer.Option(help="Seconds over which the connections are opened.")] = None,
    warm_up: Annotated[float | None, typer.Option(help="Seconds of traffic that do not count.")] = None,
    hold: Annotated[float | None, typer.Option(help="Seconds of traffic that count.")] = None,
    drain: Annotated[float | None, typer.Option(help="Seconds to wait at the end for what is outstanding.")] = None,
    subscribers: Annotated[int | None, typer.Option(help="Connections that subscribe to the large room.")] = None,
    publishers: Annotated[int | None, typer.Option(help="Connections that send into the large room.")] = None,
    conversations: Annotated[int | None, typer.Option(help="Rooms.")] = None,
    members: Annotated[int | None, typer.Option(help="Members of each room.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Direct conversations.")] = None,
    storms: Annotated[int | None, typer.Option(help="How often all subscribers drop and come back.")] = None,
    offline: Annotated[float | None, typer.Option(help="Seconds between the drop and the return.")] = None,
    slow_percent: Annotated[float | None, typer.Option(help="Subscribers that read slowly.")] = None,
    slow_bytes: Annotated[int | None, typer.Option(help="Bytes a second that each of those reads.")] = None,
    typists: Annotated[int | None, typer.Option(help="Subscribers that type.")] = None,
    period: Annotated[float | None, typer.Option(help="Seconds from one start of a typist to his next.")] = None,
    reconnects: Annotated[float | None, typer.Option(help="Reconnections a second.")] = None,
    max_memory_growth: Annotated[
        float | None, typer.Option(help="Growth of the server's memory that fails the run; 0.2 is a fifth.")
    ] = None,
) -> None:
    """Load a server and measure its latency. Status 1: the run failed or missed a threshold."""
    if find_spec("hdrh") is None or find_spec("rich") is None:
        _end("the load tester needs its extra: pip install 'stackmentor-chat[load]'", _WRONG_ARGUMENT)
    from rich.console import Console

    from chatload.control import default_processes, run
    from chatload.job import Job
    from chatload.reports.compare import render_comparison
    from chatload.reports.html import write_html
    from chatload.reports.summary import render_summary
    from chatload.reports.thresholds import parse_threshold
    from chatload.rest import RestError
    from chatload.result import ResultError, read_result, write_result
    from chatload.scenario import ScenarioError
    from chatload.scenario_file import read_scenario
    from chatload.users import UsersError
    from chatload.worker.endpoint import Endpoint, EndpointError
    from chatload.workers import WorkerError

    given = {
        "rate": rate,
        "in_flight": in_flight,
        "size": size,
        "ramp": ramp,
        "warm_up": warm_up,
        "hold": hold,
        "drain": drain,
        "subscribers": subscribers,
        "publishers": publishers,
        "conversations": conversations,
        "members": members,
        "pairs": pairs,
        "storms": storms,
        "offline": offline,
        "slow_percent": slow_percent,
        "slow_bytes": slow_bytes,
        "typists": typists,
        "period": period,
        "reconnects": reconnects,
        "max_memory_growth": max_memory_growth,
    }
    settings = read_settings(QUIET, data_dir=data_dir)
    targets = url or [f"http://127.0.0.1:{settings.port}"]
    console = Console()
    try:
        for target in targets:
            Endpoint.of(target)
        plan = read_scenario(scenario, {key: value for key, value in given.items() if value is not None})
        thresholds = [parse_threshold(text) for text in threshold or ()]
        old = None if compare is None else read_result(compare)
        for path in (json_out, html_out):
            _check_writable(path)
        job = Job(
            scenario=plan,
            urls=targets,
            users=_users(plan, targets, tokens, settings),
            processes=processes or default_processes(),
            probe=_probe(targets, server_pid or [], metrics_url or [], settings),
        )
    except (ScenarioError, UsersError, EndpointError, ResultError, ValueError) as error:
        _end(str(error), _WRONG_ARGUMENT)
    except RestError as error:
        _end(str(error), _FAILED)
    try:
        with _progress(console, plan, job.processes) as progress:
            result = run(job, progress)
    except (ScenarioError, EndpointError) as error:
        _end(str(error), _WRONG_ARGUMENT)
    except (RestError, WorkerError) as error:
        _end(str(error), _FAILED)
    outcomes = [each.check(result) for each in thresholds]
    if json_out is not None:
        write_result(result, json_out)
    if html_out is not None:
        write_html(result, html_out, old, outcomes)
    render_summary(console, result, outcomes)
    if old is not None:
        render_comparison(console, result, old)
    _exit_unless_good(result, all(outcome.passed for outcome in outcomes))


def _exit_unless_good(result: "Result", thresholds_kept: bool) -> None:
    if result.failed or not thresholds_kept:
        raise typer.Exit(_FAILED)


def _check_writable(path: Path | None) -> None:
    """Raises `ValueError`: better before the run than after it."""
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"{path}: there is no such directory")


def _users(scenario: "Scenario", urls: Sequence[str], tokens: Path | None, settings: Settings) -> "list[LoadUser]":
    """Of the file, else new ones of the local server. Raises `UsersError` and `RestError`."""
    from chatload.plan import wanted_users
    from chatload.rest import Rest
    from chatload.users import LoadUser, UsersError, read_users

    if tokens is not None:
        with contextlib.closing(Rest(urls[0])) as rest:
            return read_users(tokens, rest.user_id)
    if not _are_local(urls):
        raise UsersError("--tokens is needed: users are made by themselves only for a local `stackmentor dev`")
    if not settings.database_url and _pid_of_dev(settings.data_dir) is None:
        raise UsersError(f"no `stackmentor dev` runs on {settings.data_dir}: name its --data-dir, or --tokens")
    length = scenario.ramp + scenario.warm_up + scenario.hold + scenario.drain
    lifetime = max(settings.access_token_lifetime, length + _TOKEN_RESERVE)
    with database_of(settings) as database_url:
        minting = attrs.evolve(settings, database_url=database_url, access_token_lifetime=lifetime)
        minted = trio.run(provision_tokens, minting, min(wanted_users(scenario), _MOST_USERS))
    return [LoadUser(str(user_id), token) for user_id, token in minted]


def _probe(urls: Sequence[str], pids: Sequence[int], metrics_urls: Sequence[str], settings: Settings) -> "ServerProbe":
    from chatload.server_probe import MetricsProbe, NoProbe, ProcessProbe, SumProbe

    if not pids and not metrics_urls and _are_local(urls):
        dev = _pid_of_dev(settings.data_dir)
        pids = [] if dev is None else _nodes_of(dev) or [dev]
    probes = [*map(ProcessProbe, pids), *map(MetricsProbe, metrics_urls)]
    return NoProbe() if not probes else probes[0] if len(probes) == 1 else SumProbe(probes)


def _are_local(urls: Sequence[str]) -> bool:
    return all(urlsplit(url).hostname in _LOCAL for url in urls)


def _nodes_of(dev: int) -> list[int]:
    """The processes of `dev --nodes`, whose own has nothing to do with messages; none when it is one node itself."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == dev and (path / "cmdline").read_bytes().split(b"\0")[-2] == b"node":
                found.append(int(path.name))
    return sorted(found)


def _pid_of_dev(data_dir: Path) -> int | None:
    """What the lock of the data directory says of who holds it; a holder that was killed leaves its word behind."""
    try:
        words = (data_dir / "lock").read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return None
    if len(words) != 2 or words[0] != "dev" or not Path("/proc", words[1]).exists():
        return None
    return int(words[1])


@contextlib.contextmanager
def _progress(console: "Console", scenario: "Scenario", processes: int) -> "Generator[Progress]":
    from chatload.progress import Phase
    from chatload.reports.live import LiveView
    from chatload.reports.plain import PlainView

    if not console.is_terminal:
        yield PlainView(sys.stdout, processes=processes)
        return
    seconds: Mapping[str, float] = {
        Phase.WARM_UP: scenario.warm_up,
        Phase.HOLD: scenario.hold,
        Phase.DRAIN: scenario.drain,
    }
    with LiveView(console, seconds=seconds, processes=processes) as view:
        yield view


def _end(line: str, status: int) -> NoReturn:
    typer.echo(f"stackmentor: {line}", err=True)
    raise typer.Exit(status)
