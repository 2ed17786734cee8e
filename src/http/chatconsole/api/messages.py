"""What goes over the WebSocket, and the whole snapshot."""

from enum import StrEnum
from typing import Final

import msgspec

from .following import Trace
from .loop import Ended, Loop, Warning
from .parts import Actors, Backend, Conversations, Failure, Sockets, Supervised
from .tasks import Stack, TaskTree

VERSION: Final = 1
PREFIX: Final = "/console/v1"
SUBPROTOCOL: Final = "stackmentor.console.v1"
TOKEN_SUBPROTOCOL: Final = "token."  # noqa: S105  # a prefix
"""A browser, which cannot set headers, offers this with the token appended beside `SUBPROTOCOL`."""


class Section(StrEnum):
    LOOP = "loop"
    TASKS = "tasks"
    SUPERVISION = "supervision"
    ACTORS = "actors"
    CONVERSATIONS = "conversations"
    SOCKETS = "sockets"
    BACKENDS = "backends"
    ENDED = "ended"
    WARNINGS = "warnings"


class Node(msgspec.Struct, rename="camel", frozen=True):
    """`started` is in seconds since 1970. With `read_only` no action is allowed; `repl` tells whether `run` is.

    `actions` are the names that `act` knows here.
    """

    pid: int
    version: str
    url: str
    started: float
    read_only: bool
    watchers: int
    actions: list[str] = []
    repl: bool = False


class Snapshot(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    """One moment of a node, at `at` seconds since 1970; a section that was not asked for is None.

    `took` is how long it took, `pause` the longest that it held the loop for. While the loop is blocked only `loop`,
    `tasks`, `ended` and `warnings` are there: they are made beside it.
    """

    version: int
    at: float
    took: float
    pause: float
    node: Node
    loop: Loop | None = None
    tasks: TaskTree | None = None
    supervision: list[Supervised] | None = None
    actors: Actors | None = None
    conversations: Conversations | None = None
    sockets: Sockets | None = None
    backends: list[Backend] | None = None
    ended: list[Ended] | None = None
    warnings: list[Warning] | None = None


class View(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    """What of a node is wanted. No section: all.

    `root` is the id of a task or nursery whose part of the tree is wanted, `skip` how many of its children are not,
    `fan` how many children of each nursery are listed, `limit` how many rows of each section. `reveal` asks for the
    users' ids in place of pseudonyms, which is noted in the log. `grep` keeps the actors, conversations and sockets
    that have it in their name, id or user.

    A watch with `steps`, or of the tasks, times every step of the loop: for `Loop.longest` and `Task.since`, which cost
    each switch of tasks something.
    """

    sections: list[Section] = []
    root: str | None = None
    skip: int = 0
    fan: int = 8
    limit: int = 200
    reveal: bool = False
    grep: str = ""
    steps: bool = False

    @property
    def times_steps(self) -> bool:
        return self.steps or self.wants(Section.TASKS)

    def wants(self, section: Section) -> bool:
        return not self.sections or section in self.sections


class Look(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="look", tag_field="op"):
    """One snapshot."""

    id: int
    view: View = View()


class Watch(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="watch", tag_field="op"):
    """A snapshot each `every` seconds until `stop`, or the next `watch` of the same id."""

    id: int
    view: View = View()
    every: float = 1.0


class Stop(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="stop", tag_field="op"):
    """The end of the watch or of the following with this id. There is no answer."""

    id: int


class Follow(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="follow", tag_field="op"):
    """Follow messages hop by hop until `stop`, or the next `follow` of the same id; answered by `traces`: first, when
    the node has begun to follow, without any.

    Which: those of `conversation` (its id), or the one that `message` names, by its id or `clientMessageId`; with
    neither, any. Those only that are sent, or heard of from another node, from now on. With `count` no more than so
    many are begun. What is new is told each `every` seconds, if there is anything. `reveal` as in `View`.
    """

    id: int
    conversation: str = ""
    message: str = ""
    count: int | None = None
    every: float = 0.25
    reveal: bool = False


class AskStack(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="stack", tag_field="op"):
    """The whole stack of a task, by its id in the tree."""

    id: int
    task: str


class Act(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="act", tag_field="op"):
    """Asks for an action, which is not done before it is confirmed. `target` and `value` are as the action has them."""

    id: int
    action: str
    target: str = ""
    value: str = ""


class Confirm(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="confirm", tag_field="op"):
    """Do what `nonce` was given for."""

    id: int
    nonce: str


class Run(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, tag="run", tag_field="op"):
    """Run `source`, one or more lines of Python that may `await`, in the node's loop. Names last as long as the
    connection. Refused as `FORBIDDEN` unless the node was started with it allowed (`Node.repl`).
    """

    id: int
    source: str


Request = Look | Watch | Stop | Follow | AskStack | Act | Confirm | Run


class Seen(msgspec.Struct, rename="camel", frozen=True, tag="snapshot", tag_field="type"):
    id: int
    snapshot: Snapshot


class Traces(msgspec.Struct, rename="camel", frozen=True, tag="traces", tag_field="type"):
    """The followed messages that have come on since the last answer, each with its whole way so far, oldest first;
    none in the answer that tells that the following has begun, whatever is sent after which is in one of the next.

    `dropped` counts the messages that were forgotten, or never begun, because too many were followed at once.
    """

    id: int
    traces: list[Trace]
    dropped: int


class Stacked(msgspec.Struct, rename="camel", frozen=True, tag="stack", tag_field="type"):
    id: int
    stack: Stack


class Asked(msgspec.Struct, rename="camel", frozen=True, tag="confirm", tag_field="type"):
    """The action is ready: `says` is what it would do. `nonce` is good once, for `seconds`, on this connection."""

    id: int
    nonce: str
    says: str
    seconds: float


class Done(msgspec.Struct, rename="camel", frozen=True, tag="done", tag_field="type"):
    """The action has been done; `says` is its outcome."""

    id: int
    says: str


class Ran(msgspec.Struct, rename="camel", frozen=True, tag="ran", tag_field="type"):
    """`output` is what it printed, then, of an expression, the value as `repr` has it; `cut` that there was more than
    is allowed. `failure` is the exception that ended it, which at the end of its time is `TooSlow`.
    """

    id: int
    output: str
    cut: bool
    failure: Failure | None
    seconds: float


class Refused(msgspec.Struct, rename="camel", frozen=True, tag="refused", tag_field="type"):
    """The request was not answered; `error_code` is one of the REST contract's. Without an id it could not be read."""

    id: int | None
    error_code: str
    message: str


Answer = Seen | Traces | Stacked | Asked | Done | Ran | Refused
