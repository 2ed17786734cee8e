"""The operating system's account that PostgreSQL runs under, since PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Final, TypedDict

import attrs

from chathttp.dev.errors import DevError

UNPRIVILEGED: Final = ("postgres", "nobody")
"""Accounts to drop to from root, best first; every Linux has the second."""


class SpawnOptions(TypedDict, total=False):
    """Arguments of :class:`subprocess.Popen` that make the child another user."""

    user: int
    group: int
    extra_groups: list[int]


@attrs.frozen
class Account:
    """A user that has a name (``initdb`` needs one) and whether this process must change to become it."""

    uid: int
    gid: int
    name: str
    dropped: bool

    def spawn_options(self) -> SpawnOptions:
        """What to give to :class:`subprocess.Popen`; empty when the account is our own."""
        return SpawnOptions(user=self.uid, group=self.gid, extra_groups=[]) if self.dropped else SpawnOptions()

    def own(self, path: Path) -> None:
        """Gives ``path`` to the account."""
        if self.dropped:
            os.chown(path, self.uid, self.gid)

    def succeeds(self, *command: str | Path) -> bool:
        """Whether ``command`` ends with status 0 when this account runs it; it really runs, so ACLs and masks count."""
        try:
            done = subprocess.run(
                command, cwd="/", capture_output=True, timeout=30, check=False, **self.spawn_options()
            )
        except PermissionError as error:
            if self.dropped and not self._may_drop():
                raise DevError(f"root may not change to user {self.name} here, and PostgreSQL refuses root") from error
            return False
        except OSError:
            return False
        return done.returncode == 0

    def enters(self, directory: Path) -> bool:
        """Whether the account may pass through ``directory`` and everything above it."""
        return not self.dropped or self.succeeds("/bin/sh", "-c", 'test -x "$0"', directory)

    def _may_drop(self) -> bool:
        try:
            subprocess.run(["/bin/sh", "-c", ":"], cwd="/", timeout=30, check=True, **self.spawn_options())
        except (OSError, subprocess.SubprocessError):
            return False
        return True


def postgres_account(cluster: Path) -> Account:
    """Who runs the cluster at ``cluster``: we ourselves, or when we are root its present owner, else an unprivileged
    account.

    Raises :class:`DevError` when there is no such account with a name.
    """
    if os.geteuid() != 0:
        return _named(os.geteuid(), dropped=False)
    owner = cluster.stat().st_uid if cluster.exists() else 0
    if owner != 0:
        return _named(owner, dropped=True)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name, dropped=True)
    raise DevError(f"PostgreSQL refuses root, and there is no user {' or '.join(UNPRIVILEGED)} to run it as")


def _named(uid: int, *, dropped: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise DevError(f"user id {uid} has no name in the user database, which PostgreSQL needs") from None
    return Account(uid, entry.pw_gid, entry.pw_name, dropped)
