"""File descriptors: a connection takes one."""

import logging
import resource

_log = logging.getLogger(__name__)

OTHERS = 256
"""Descriptors that are no client's connection: database, listener, logs, requests above the limit."""


def allow_connections(count: int) -> int:
    """Raise the process's soft limit of open files (setrlimit(2)) as far as `count` connections need and the hard one
    allows. Returns how many connections fit, and logs a warning when that is fewer.
    """
    needed = count + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    else:
        allowed = needed if soft == resource.RLIM_INFINITY else min(needed, soft)
    if allowed < needed:
        _log.warning("the limit of open files allows %d connections, not %d: raise ulimit -n", allowed - OTHERS, count)
    return allowed - OTHERS
