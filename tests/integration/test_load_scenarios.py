"""Each kind of scenario, small and short, against a real server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chathttp.cli.app import app
from chathttp.settings import Settings
from chatload.control import run
from chatload.job import Job
from chatload.plan import wanted_users
from chatload.progress import Phase
from chatload.result import Interval, Result, read_result
from chatload.scenario import make_scenario
from chatload.server_probe import ProcessProbe
from chatload.users import LoadUser, read_users
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory

USERS = 60
SMALL_GROUPS = 25
SETTINGS = {
    "STACKMENTOR_MAX_GROUP_SIZE": str(SMALL_GROUPS),
    "STACKMENTOR_SEND_RATE": "100000",
    "STACKMENTOR_SEND_BURST": "100000",
}


@pytest.fixture(scope="module")
def server() -> Generator[DevServer]:
    directory = scratch_directory()
    with DevServer(directory, env=SETTINGS) as started:
        yield started
    remove_scratch(directory)


@pytest.fixture(scope="module")
def tokens(server: DevServer) -> Path:
    path = server.data_dir / "tokens.jsonl"
    done = stackmentor("token", "--users", str(USERS), "--json", "--out", str(path), data_dir=server.data_dir)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def users(tokens: Path) -> list[LoadUser]:
    def never(token: str) -> str:
        raise AssertionError(token)

    return read_users(tokens, never)


class Watched:
    """Implements `Progress`."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.intervals: list[Interval] = []

    def on_phase(self, name: str) -> None:
        self.phases.append(name)

    def on_interval(self, interval: Interval) -> None:
        self.intervals.append(interval)


def ran(server: DevServer, users: list[LoadUser], kind: str, processes: int = 1, /, **values: float) -> Result:
    scenario = make_scenario(kind, {"warm_up": 0.3, "hold": 1.0, "drain": 5.0, **values})
    probe = ProcessProbe(server.pid)
    job = Job(scenario=scenario, urls=[server.url], users=users, processes=processes, probe=probe)
    result = run(job, Watched())
    assert not result.failed, result.faults
    assert result.counts["incomplete"] == 0
    return result


def test_fanout_counts_every_delivery_once(server: DevServer, users: list[LoadUser]) -> None:
    result = ran(server, users, "fanout", 2, subscribers=20, publishers=4, rate=40)
    assert result.counts["sent"] == result.counts["acknowledged"] == result.counts["completed"] == 52
    assert result.counts["delivered"] == 52 * 20
    assert result.latencies["delivery"].count == 40 * 20
    assert result.latencies["completion"].count == result.latencies["receipt"].count == 40
    assert result.latencies["completion"].p50 >= result.latencies["delivery"].p50 > 0
    assert result.rates["sends"] == pytest.approx(40, rel=0.1)
    assert result.rates["deliveries"] == pytest.approx(800, rel=0.1)
    assert result.server_cpu is not None
    assert result.server_cpu > 0
    assert result.server_rss is not None
    assert result.server_rss > 20_000_000
    assert (result.meter_processes, result.hardware.same_host) == (2, True)
    assert [interval.measured for interval in result.intervals] == [False, True]
    assert sum(interval.sent for interval in result.intervals) == 52


def test_more_connections_than_a_group_may_have_share_its_users(server: DevServer, users: list[LoadUser]) -> None:
    result = ran(server, users, "fanout", subscribers=40, publishers=2, rate=10)
    assert result.counts["delivered"] == 13 * 40
    assert f"42 connections of one conversation share {SMALL_GROUPS} users" in result.notes


def test_closed_loop_keeps_the_server_busy(server: DevServer, users: list[LoadUser]) -> None:
    result = ran(server, users, "fanout", subscribers=5, publishers=20, in_flight=20, warm_up=0.0, hold=0.7)
    assert result.counts["sent"] > 40
    assert result.latencies["delivery"].count == 5 * result.counts["sent"]


def test_rooms(server: DevServer, users: list[LoadUser]) -> None:
    result = ran(server, users, "rooms", 2, conversations=8, members=5, rate=80)
    assert result.counts["conversations"] == 8
    assert result.counts["delivered"] == 5 * result.counts["sent"] == 5 * 104


def test_direct_again_and_again_in_the_same_conversations(server: DevServer, users: list[LoadUser]) -> None:
    for _ in range(2):
        result = ran(server, users, "direct", pairs=10, rate=40, hold=0.5)
        assert result.counts["delivered"] == 2 * result.counts["sent"] == 2 * 32


def test_connect_storm_resumes_everybody_with_all_that_was_missed(server: DevServer, users: list[LoadUser]) -> None:
    values = {"subscribers": 20, "publishers": 2, "rate": 30, "hold": 2.0, "storms": 2, "offline": 0.4}
    scenario = make_scenario("connect-storm", {"warm_up": 0.0, "drain": 5.0, **values})
    watched = Watched()
    job = Job(scenario=scenario, urls=[server.url], users=users, processes=1, probe=ProcessProbe(server.pid))
    result = run(job, watched)
    assert not result.failed, result.faults
    assert result.counts["resumes"] == result.latencies["resume"].count == 40
    assert result.counts["connects"] == 22 + 40
    assert result.counts["delivered"] == 20 * result.counts["sent"] == 20 * 60
    assert result.rates["resumes"] > 20
    missed = result.counts["sent"] * 20 - result.latencies["delivery"].count
    assert missed == pytest.approx(2 * 0.4 * 30 * 20, rel=0.4)
    assert watched.phases == [
        Phase.PREPARE,
        Phase.CONNECT,
        Phase.HOLD,
        Phase.STORM,
        Phase.HOLD,
        Phase.STORM,
        Phase.HOLD,
        Phase.DRAIN,
    ]


def test_storm_that_the_server_lets_in_bit_by_bit_passes_and_says_so(data_dir: Path) -> None:
    env = {**SETTINGS, "STACKMENTOR_CONNECT_RATE": "10", "STACKMENTOR_CONNECT_BURST": "15"}
    values = {"subscribers": 20, "publishers": 2, "rate": 30, "hold": 2.0, "storms": 1, "offline": 0.2, "drain": 20.0}
    with DevServer(data_dir, env=env) as server:
        path = data_dir / "tokens.jsonl"
        done = stackmentor("token", "--users", "22", "--json", "--out", str(path), data_dir=data_dir)
        assert done.returncode == 0, done.stderr
        result = ran(server, read_users(path, lambda token: token), "connect-storm", **values)
    assert result.counts["deferred"] >= 5
    assert (result.counts["connects"], result.counts["resumes"]) == (22 + 20, 20)
    assert result.counts["delivered"] == 20 * result.counts["sent"]
    assert result.latencies["connect"].max > 1000


def test_slow_consumers_are_closed_resume_and_get_everything(server: DevServer, users: list[LoadUser]) -> None:
    values = {"subscribers": 5, "publishers": 20, "rate": 250, "size": 10_000, "slow_percent": 20, "slow_bytes": 500}
    result = ran(server, users, "slow-consumers", hold=2.5, **values)
    assert result.counts["slow_closed"] >= 1
    assert result.latencies["delivery"].count == 4 * 625
    assert result.counts["delivered"] == 5 * result.counts["sent"]


def test_typing_is_measured_beside_the_messages(server: DevServer, users: list[LoadUser]) -> None:
    values = {"subscribers": 10, "publishers": 2, "typists": 3, "period": 1.2, "rate": 10}
    result = ran(server, users, "typing", warm_up=1.2, hold=1.2, **values)
    assert result.counts["typing_sent"] == 3
    assert result.latencies["typing"].count == 30
    assert result.latencies["typing"].max < 1200


def test_soak_mixes_everything_and_judges_memory(server: DevServer, users: list[LoadUser]) -> None:
    values = {"subscribers": 10, "publishers": 2, "conversations": 3, "members": 3, "pairs": 3, "typists": 1}
    values |= {"rate": 60, "reconnects": 10, "slow_percent": 10, "warm_up": 0, "hold": 2}
    result = ran(server, users, "soak", 2, **values)
    assert result.counts["conversations"] == 7
    assert 10 <= result.counts["resumes"] <= 25
    assert "too few samples of the server's memory to judge its growth" in result.notes


def load(server: DevServer, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return stackmentor("load", *arguments, "--url", server.url, data_dir=server.data_dir)


def test_command_makes_its_users_finds_the_server_and_writes_what_it_is_told(server: DevServer, tmp_path: Path) -> None:
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    short = ("fanout", "--subscribers", "5", "--publishers", "1", "--rate", "10", "--hold", "1", "--warm-up", "0")
    done = load(server, *short, "--json", str(out), "--html", str(page), "--threshold", "lost==0")
    assert done.returncode == 0, done.stderr
    result = read_result(out)
    assert result.hardware.server == f"process {server.pid}"
    assert (result.counts["delivered"], result.server_rss is not None) == (50, True)
    assert "<html" in page.read_text()
    again = load(server, *short, "--compare", str(out), "--threshold", "p99<0.001ms")
    assert again.returncode == 1
    assert "p99<0.001ms" in again.stdout


def test_command_takes_a_file_of_bare_tokens(server: DevServer, tokens: Path, tmp_path: Path) -> None:
    bare = tmp_path / "tokens.txt"
    rows = [json.loads(line) for line in tokens.read_text().splitlines()[:6]]
    bare.write_text("".join(row["token"] + "\n" for row in rows))
    short = ("--subscribers", "5", "--publishers", "1", "--rate", "10", "--hold", "0.5", "--warm-up", "0")
    done = load(server, "fanout", *short, "--tokens", str(bare))
    assert done.returncode == 0, done.stderr


def test_refused_token_ends_the_command_in_one_line(server: DevServer, tmp_path: Path) -> None:
    (tmp_path / "tokens.jsonl").write_text('{"userId": "x", "token": "nonsense"}\n')
    done = load(server, "fanout", "--tokens", str(tmp_path / "tokens.jsonl"))
    assert done.returncode == 1
    assert done.stderr.startswith("stackmentor: POST /api/conversations: UNAUTHORIZED: ")
    assert done.stderr.count("\n") == 1


def test_interrupt_leaves_no_worker_behind(server: DevServer, tokens: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "load", "fanout", "--url", server.url, "--tokens", str(tokens), "--hold", "60", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while "hold" not in (line := process.stdout.readline()):
        assert line, process.communicate()[1]
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert workers_of(process.pid) == []


def test_worker_ends_when_the_control_process_is_killed(server: DevServer, tokens: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "load", "fanout", "--url", server.url, "--tokens", str(tokens), "--hold", "60"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while "hold" not in (line := process.stdout.readline()):
        assert line
    assert len(workers_of(process.pid)) >= 1
    process.kill()
    process.communicate(timeout=10)
    deadline = time.monotonic() + 5
    while workers_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert workers_of(process.pid) == []


def test_missing_extra_is_named_in_one_line() -> None:
    without = "import sys; sys.modules['hdrh'] = None; from chathttp.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, "load", "fanout"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "stackmentor: the load tester needs its extra: pip install 'stackmentor-chat[load]'\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("fanout", "--pairs", "3"), "pairs is not a key of fanout"),
        (("fanouts",), "fanouts is neither a kind of scenario"),
        (("fanout", "--threshold", "quick"), "'quick' is no threshold"),
        (("fanout", "--compare", "/nonexistent.json"), "/nonexistent.json: "),
        (("fanout", "--json", "/nonexistent/out.json"), "/nonexistent/out.json: there is no such directory"),
        (("fanout", "--tokens", "/nonexistent.txt"), "/nonexistent.txt: "),
        (("fanout", "--data-dir", "/nonexistent"), "no `stackmentor dev` runs on /nonexistent: "),
        (("fanout", "--url", "http://chat.invalid"), "http://chat.invalid: "),
        (("fanout", "--url", "http://192.0.2.1"), "--tokens is needed"),
        (("fanout", "--url", "gopher://localhost"), "'gopher://localhost' is no http, https, ws or wss URL"),
    ],
)
def test_wrong_argument_ends_with_status_2_and_a_line(
    arguments: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(_: object, *, data_dir: Path | None) -> Settings:
        """As the command reads them, without its logs, which would be this process's."""
        return Settings() if data_dir is None else Settings(data_dir=data_dir)

    monkeypatch.setattr("chathttp.cli.load.read_settings", settings)
    done = CliRunner().invoke(app, ["load", *arguments])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"stackmentor: {line}")
    assert done.stderr.count("\n") == 1


def test_wanted_users_are_one_for_each_connection() -> None:
    assert wanted_users(make_scenario("fanout", {"subscribers": 7, "publishers": 2})) == 9


def workers_of(session: int) -> list[int]:
    """Processes of the session that live, its leader aside."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != session:
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found
