"""Ends accounts: at once what lets somebody in, and then, as a job that survives every crash, all the rest."""

import logging
from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

import trio
from attrs import define, evolve, field, frozen

from actors.conversation.messages import ConversationMessage, RemoveMember
from actors.ports import Roster
from actors.privacy.erased import Erased
from actors.privacy.ports import START, AuditEntry, ErasureJob, ErasureStore
from actors.privacy.retention import Changed
from actors.rounds import RoundFigures, every
from actors.runtime.ref import Ref
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import ConversationType

_PAGE: Final = 100
_GONE: Final = frozenset({ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN})

_log = logging.getLogger(__name__)


class ConversationActors(Protocol):
    def ref(self, key: UUID) -> Ref[ConversationMessage]:
        """The actor, started on demand."""
        ...


@frozen
class ErasurePolicy:
    """With `tombstone` messages become tombstones, else they stay under the name of a deleted user: as it is when the
    erasure is asked for. `batch` of them at a time, with `pause` seconds between; who is silent for `lease` seconds
    has lost the job to another node. Seconds between looks for jobs: `look`.
    """

    tombstone: bool = False
    batch: int = 200
    pause: float = 0.05
    lease: float = 30.0
    look: float = 10.0
    ask_timeout: float = 15.0


@define
class ErasureFigures:
    """Since the start; `waiting` is of all nodes, as last seen."""

    accepted: int = 0
    failed: int = 0
    finished: int = 0
    tombstones: int = 0
    waiting: int = 0
    rounds: RoundFigures = field(factory=RoundFigures)


class _LostError(Exception):
    """Another node does this job by now."""


class Erasures:
    """Permanent. Any number of nodes may run it: each job is one node's at a time, and each of its steps may be done
    again. `changed` tells those who have a conversation in memory, here and elsewhere.
    """

    def __init__(
        self,
        store: ErasureStore,
        erased: Erased,
        conversations: Callable[[], ConversationActors],
        policy: ErasurePolicy,
        *,
        holder: UUID,
        changed: Changed,
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._erased = erased
        self._conversations = conversations
        self._policy = policy
        self._holder = holder
        self._changed = changed
        self._new_id = new_id
        self._wanted = trio.Event()
        self.figures = ErasureFigures()

    async def accept(self, user_id: UUID, address: str | None, request_id: str | None) -> None:
        """The account is anonymised, and nobody gets in with it, when this returns; on the other nodes a moment later.

        Errors: `NOT_FOUND`; after `UNAVAILABLE` it may be done.
        """
        entry = AuditEntry(self._new_id(), user_id, "erasure.requested", address, request_id)
        if await self._store.accept(user_id, tombstone=self._policy.tombstone, entry=entry):
            self.figures.accepted += 1
        self._erased.add(user_id)
        self._wanted.set()

    async def run(self) -> None:
        await every(self._policy.look, self._round, self.figures.rounds, self._wake)

    def _wake(self) -> trio.Event:
        self._wanted = trio.Event()
        return self._wanted

    async def _round(self) -> None:
        while (job := await self._store.next_job(self._holder, lease=self._policy.lease)) is not None:
            try:
                await self._perform(job)
            except _LostError:
                continue
            except ChatError as error:
                # It is tried again when its lease has ended; the others do not wait for that.
                self.figures.failed += 1
                _log.warning("the erasure of user %s is delayed: %s", job.user_id, error.message)
            else:
                self.figures.finished += 1
        self.figures.waiting = await self._store.waiting()

    async def _perform(self, job: ErasureJob) -> None:
        while job.leaving:
            job = await self._leave(job)
        if job.tombstone:
            await self._bury(job)
        # Who was adding him to a group while he was erased has done so by now.
        while late := [
            each
            for each, type_ in await self._store.memberships(job.user_id, START, limit=_PAGE)
            if type_ is ConversationType.GROUP
        ]:
            for conversation_id in late:
                await self._remove(conversation_id, job.user_id)
        await self._store.finish(job, self._holder, AuditEntry(self._new_id(), job.user_id, "erasure.finished"))

    async def _leave(self, job: ErasureJob) -> ErasureJob:
        """One page of conversations."""
        page = await self._store.memberships(job.user_id, job.conversation_id, limit=_PAGE)
        for conversation_id, type_ in page:
            if type_ is ConversationType.GROUP:
                await self._remove(conversation_id, job.user_id)
            elif (rev := await self._store.seal(conversation_id, job.user_id)) is not None:
                self._changed(conversation_id, rev)
            job = await self._saved(evolve(job, conversation_id=conversation_id))
        if len(page) < _PAGE:
            job = await self._saved(evolve(job, leaving=False, conversation_id=START))
        return job

    async def _remove(self, conversation_id: UUID, user_id: UUID) -> None:
        """As if he left: ownership is handed on, and everybody is told."""
        actor = self._conversations().ref(conversation_id)
        try:
            _: Roster = await actor.ask(
                lambda reply: RemoveMember(user_id, user_id, reply), timeout=self._policy.ask_timeout
            )
        except ChatError as error:
            if error.code not in _GONE:
                raise

    async def _bury(self, job: ErasureJob) -> None:
        """`job.conversation_id` is the last that is done, or with a `seq` the one that is under way."""
        if job.seq:
            job = await self._bury_in(job, job.conversation_id)
        while page := await self._store.spoken_in(job.user_id, job.conversation_id, limit=_PAGE):
            for conversation_id in page:
                job = await self._bury_in(job, conversation_id)

    async def _bury_in(self, job: ErasureJob, conversation_id: UUID) -> ErasureJob:
        after: int | None = job.seq
        while after is not None:
            done = await self._store.tombstone(conversation_id, job.user_id, after, limit=self._policy.batch)
            after = done.next_seq
            if done.count:
                self.figures.tombstones += done.count
                self._changed(conversation_id, done.rev)
            job = await self._saved(evolve(job, conversation_id=conversation_id, seq=after or 0))
            await trio.sleep(self._policy.pause if done.count else 0)
        return job

    async def _saved(self, job: ErasureJob) -> ErasureJob:
        if not await self._store.save(job, self._holder, lease=self._policy.lease):
            raise _LostError
        return job
