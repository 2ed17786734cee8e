"""What takes more than one step: a question, then an answer of the node's."""

from collections.abc import Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from chatconsole.api import messages as api
from chatconsole.api.messages import Section
from chatconsole.api.tasks import Task
from chatconsole.client import ConsoleError
from chatconsole.terminal.actions import LOG_LEVEL, Offer, log_level, offered
from chatconsole.terminal.desk import conversation_of
from chatconsole.terminal.following import following
from chatconsole.terminal.keys import HELP
from chatconsole.terminal.nodes import label
from chatconsole.terminal.repl import PythonScreen
from chatconsole.terminal.screens import AskScreen, ConfirmScreen, PickScreen, TextScreen
from chatconsole.terminal.table import Kind, Row, Target
from chatconsole.terminal.views import trace
from chatconsole.terminal.views.one import actor_of

if TYPE_CHECKING:
    from chatconsole.terminal.app import ConsoleApp

MOST_TASKS: Final = 2000
"""That are looked through for an actor's task."""


class Dialogues:
    """Each is begun by a key and goes on in a worker of the app's."""

    def __init__(self, app: "ConsoleApp") -> None:
        self._app = app

    def help(self) -> None:
        self._app.push_screen(TextScreen("Keys", HELP))

    def read(self, title: str, text: str) -> None:
        self._app.push_screen(TextScreen(title, text))

    def pick_node(self) -> None:
        self._start(self._pick_node())

    def stack(self, row: Row | None) -> None:
        if row is not None and row.target is not None:
            self._start(self._stack(row.target))

    def follow(self, row: Row | None) -> None:
        conversation = conversation_of(None if row is None else row.target)
        self._start(self._follow("" if conversation is None else f"conversation {conversation}"))

    def reveal(self) -> None:
        self._start(self._reveal())

    def offers(self, row: Row | None) -> Iterator[Offer]:
        now = self._app.desk.pulse.now
        return offered([] if now is None else now.node.actions, None if row is None else row.target)

    def act(self, row: Row | None) -> None:
        self._start(self._act(list(self.offers(row))))

    def begin(self, offer: Offer) -> None:
        self._start(self._perform(offer))

    def run_python(self) -> None:
        self._app.push_screen(PythonScreen(self._app.link))

    def _start(self, dialogue: Coroutine[Any, Any, None]) -> None:
        self._app.run_worker(self._guarded(dialogue), group="dialogue")

    async def _guarded(self, dialogue: Coroutine[Any, Any, None]) -> None:
        try:
            await dialogue
        except ConsoleError as error:
            self._app.say(str(error), is_bad=True)

    async def _pick_node(self) -> None:
        found = self._app.nodes.find()
        if not found:
            raise ConsoleError(f"no node runs on the data directory {self._app.nodes.data_dir}")
        picked = await self._app.push_screen_wait(PickScreen("Which node?", [label(each) for each in found]))
        if picked is not None:
            self._app.look_at(found[picked])

    async def _stack(self, target: Target) -> None:
        if target.kind is Kind.TASK:
            task = target.id
        else:
            name = actor_of(target)
            if name is None:
                return
            task = await self._task_of(name)

        async def look() -> str:
            answer = await self._app.link.ask(lambda number: api.AskStack(number, task))
            assert isinstance(answer, api.Stacked)
            return answer.stack.text

        self._app.push_screen(TextScreen(f"Stack of {task}", await look(), look))

    async def _task_of(self, actor: str) -> str:
        view = api.View([Section.TASKS], fan=MOST_TASKS, limit=MOST_TASKS)
        answer = await self._app.link.ask(lambda number: api.Look(number, view))
        assert isinstance(answer, api.Seen)
        tree = answer.snapshot.tasks
        for each in [] if tree is None else tree.rows:
            if isinstance(each, Task) and each.name == actor:
                return each.id
        raise ConsoleError(f"no task of {actor} among the first {MOST_TASKS}")

    async def _follow(self, proposed: str) -> None:
        question = "Follow: conversation ID, message ID (or clientMessageId), or any"
        written = await self._app.push_screen_wait(AskScreen(question, proposed))
        if written is None:
            return
        try:
            request = following(written, self._app.desk.conversations())
        except ValueError as error:
            raise ConsoleError(str(error)) from None
        self._app.desk.followed.begin(request)
        self._app.action_view(trace.SPEC.name)

    async def _reveal(self) -> None:
        desk = self._app.desk
        if not desk.reveal:
            question = "Show users' ids in place of pseudonyms?\nThe node's log will tell that it was asked."
            if not await self._app.push_screen_wait(ConfirmScreen(question)):
                return
        desk.reveal = not desk.reveal
        self._app.ask_again()

    async def _act(self, offers: list[Offer]) -> None:
        if not offers:
            raise ConsoleError("this node allows no action here")
        picked = await self._app.push_screen_wait(PickScreen("Which action?", _labels(offers)))
        if picked is not None:
            await self._perform(offers[picked])

    async def _perform(self, offer: Offer) -> None:
        """Asks the node what it would do, then the user, then has it done."""
        target, value = offer.target, ""
        if offer.asks:
            written = await self._app.push_screen_wait(AskScreen(f"{offer.label}: {offer.asks}"))
            if written is None:
                return
            value = written
        if offer.action == LOG_LEVEL:
            try:
                target, value = log_level(value)
            except ValueError as error:
                raise ConsoleError(str(error)) from None
        asked = await self._app.link.ask(lambda number: api.Act(number, offer.action, target, value))
        assert isinstance(asked, api.Asked)
        if not await self._app.push_screen_wait(ConfirmScreen(asked.says)):
            return
        done = await self._app.link.ask(lambda number: api.Confirm(number, asked.nonce))
        assert isinstance(done, api.Done)
        self._app.say(done.says)


def _labels(offers: Iterable[Offer]) -> list[str]:
    return [offer.label for offer in offers]
