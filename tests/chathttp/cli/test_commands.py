import json
import socket
import stat
from pathlib import Path
from uuid import UUID

import jwt
import psycopg
import pytest

from chathttp.dev.lock import data_directory_lock
from tests.kit.command import stackmentor
from tests.kit.postgres import PostgresServer


@pytest.mark.parametrize(
    ("arguments", "settings", "line"),
    [
        (("dev",), {"port": "http"}, "STACKMENTOR_PORT must be a whole number"),
        (("dev", "--port", "99999"), {}, "STACKMENTOR_PORT must be from 0 to 65535, not 99999"),
        (("serve",), {}, "STACKMENTOR_DATABASE_URL is not set"),
        (("serve",), {"databse_url": "postgresql://x/y"}, "STACKMENTOR_DATABSE_URL is not a setting"),
        (("migrate", "up"), {"log_level": "loud"}, "STACKMENTOR_LOG_LEVEL must be one of"),
    ],
)
def test_wrong_setting_ends_with_status_2_and_a_line(
    arguments: tuple[str, ...], settings: dict[str, str], line: str
) -> None:
    done = stackmentor(*arguments, **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(f"stackmentor: {line}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_serve_does_not_start_on_an_old_schema(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    done = stackmentor("serve", database_url=url, port=0, management_port=0)
    assert done.returncode == 1
    assert done.stderr.startswith("stackmentor: the database has revision None, this version needs ")
    assert done.stderr.count("\n") == 1


def test_database_that_does_not_answer_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = stackmentor("migrate", "status", database_url=f"postgresql://u@127.0.0.1:{port}/d")
    assert done.returncode == 1
    assert done.stderr.startswith("stackmentor: the database does not answer: ")
    assert done.stderr.count("\n") == 1


def test_second_dev_is_refused_in_one_line(data_dir: Path) -> None:
    with data_directory_lock(data_dir, "dev"):
        done = stackmentor("dev", data_dir=data_dir, port=0)
    assert done.returncode == 1
    assert done.stderr.startswith(f"stackmentor: stackmentor dev already runs on {data_dir} (process ")
    assert done.stderr.count("\n") == 1


def test_migrate_goes_up_and_down_and_says_where_it_is(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    assert stackmentor("migrate", "check", database_url=url).returncode == 1
    assert "current base\n" in stackmentor("migrate", "status", database_url=url).stdout
    up = stackmentor("migrate", "up", database_url=url)
    assert up.returncode == 0, up.stderr
    assert up.stdout.startswith("the schema is at 0")
    assert stackmentor("migrate", "check", database_url=url).stdout == "the schema is up to date\n"
    assert stackmentor("migrate", "down", "base", database_url=url).stdout == "the schema is at base\n"


def test_token_prints_a_token_a_line_for_new_users(database_url: str) -> None:
    done = stackmentor("token", "--users", "3", database_url=database_url)
    assert done.returncode == 0, done.stderr
    subjects = {
        jwt.decode(line, options={"verify_signature": False})["sub"] for line in done.stdout.splitlines(keepends=False)
    }
    assert len(subjects) == 3
    with psycopg.connect(database_url) as connection:
        assert {str(row[0]) for row in connection.execute("SELECT id FROM users")} == subjects


def test_token_prints_json_with_the_users_ids_to_a_private_file(database_url: str, tmp_path: Path) -> None:
    out = tmp_path / "tokens.jsonl"
    done = stackmentor("token", "--users", "2", "--json", "--out", str(out), database_url=database_url)
    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [set(row) for row in rows] == [{"userId", "token"}] * 2
    for row in rows:
        claims = jwt.decode(row["token"], options={"verify_signature": False})
        assert UUID(row["userId"]) == UUID(claims["sub"])


def test_token_of_another_run_is_signed_with_the_same_key(data_dir: Path) -> None:
    kids = {jwt.get_unverified_header(stackmentor("token", data_dir=data_dir).stdout.strip())["kid"] for _ in range(2)}
    assert len(kids) == 1


def test_openapi_prints_the_contract() -> None:
    done = stackmentor("openapi")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("openapi: 3.1")


def test_roles_are_set_as_a_whole_and_shown(postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    stackmentor("token", database_url=url)
    with psycopg.connect(url) as connection:
        (email,) = connection.execute("SELECT email FROM users").fetchone() or ("",)
    assert stackmentor("roles", email, database_url=url).stdout == "\n"
    assert stackmentor("roles", email, "--set", "admins, moderators,admins", database_url=url).returncode == 0
    assert stackmentor("roles", email.upper(), database_url=url).stdout == "admins,moderators\n"
    assert stackmentor("roles", email, "--set", "", database_url=url).stdout == "\n"
    unknown = stackmentor("roles", "nobody@example.com", database_url=url)
    assert unknown.returncode == 1
    assert unknown.stderr == "stackmentor: there is no account of nobody@example.com\n"
