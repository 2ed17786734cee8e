"""What may be done with what is selected."""

import pytest

from chatconsole.terminal.actions import Offer, log_level, offered
from chatconsole.terminal.table import Kind, Target

KNOWN = ("disconnect", "restart", "passivate", "log-level", "drain", "snapshot")


def names(target: Target | None, known: tuple[str, ...] = KNOWN) -> list[tuple[str, str]]:
    return [(offer.action, offer.target) for offer in offered(known, target)]


EVERYWHERE = [("snapshot", ""), ("log-level", ""), ("drain", "")]


@pytest.mark.parametrize(
    ("target", "first"),
    [
        (None, []),
        (Target(Kind.TASK, "t1"), []),
        (Target(Kind.SOCKET, "10.0.0.1:5"), [("disconnect", "10.0.0.1:5")]),
        (Target(Kind.ACTOR, "users"), []),
        (Target(Kind.ACTOR, "conversations/c1"), [("restart", "c1"), ("passivate", "c1")]),
        (Target(Kind.CONVERSATION, "c1"), [("restart", "c1"), ("passivate", "c1")]),
    ],
)
def test_actions_fit_what_is_selected(target: Target | None, first: list[tuple[str, str]]) -> None:
    assert names(target) == first + EVERYWHERE


def test_only_what_the_node_knows_is_offered() -> None:
    assert names(Target(Kind.CONVERSATION, "c1"), ("passivate", "later")) == [("passivate", "c1")]
    assert list(offered((), None)) == list[Offer]()


def test_log_level_is_of_all_or_of_one_logger() -> None:
    assert log_level("DEBUG") == ("", "debug")
    assert log_level("chathttp.edge warning") == ("chathttp.edge", "warning")
    with pytest.raises(ValueError, match="LEVEL"):
        log_level("")
