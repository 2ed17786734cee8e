"""Every question and every change that the server puts to PostgreSQL, once or more."""

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from actors.adapters.postgres.attachments import PostgresAttachmentStore
from actors.adapters.postgres.claims import PostgresClaims
from actors.adapters.postgres.conversations import PostgresConversationStore
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.erasure import PostgresErasures
from actors.adapters.postgres.export import PostgresExport
from actors.adapters.postgres.features import PostgresFeatureStore
from actors.adapters.postgres.groups import PostgresGroupStore
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.identity import PostgresIdentity
from actors.adapters.postgres.messages import PostgresMessageLog
from actors.adapters.postgres.relations import PostgresRelations
from actors.adapters.postgres.retention import PostgresRetention
from actors.adapters.postgres.search import PostgresMessageSearch
from actors.adapters.postgres.standings import PostgresStandings
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.attachments.ports import Attachment, Terms
from actors.identity_ports import Account, CodePurpose, Family, OneTimeCode, StoredKey
from actors.privacy.ports import START, AuditEntry
from chatcore.features import Feature
from chatcore.model import Appended, ConversationType, Mark, NewMessage, Role
from ops.bench.plans.data import Data, conversation_id, user_id, word

ADAPTERS: Final = (
    PostgresAttachmentStore,
    PostgresClaims,
    PostgresConversationStore,
    PostgresErasures,
    PostgresExport,
    PostgresFeatureStore,
    PostgresGroupStore,
    PostgresIdentity,
    PostgresMessageHistory,
    PostgresMessageLog,
    PostgresMessageSearch,
    PostgresRelations,
    PostgresRetention,
    PostgresStandings,
    PostgresUserDirectory,
)
PAGE: Final = 50
_SOON: Final = timedelta(hours=1)


def methods_of_adapters() -> set[str]:
    """All that the adapters can be asked: `Class.method`."""
    return {
        f"{adapter.__name__}.{name}"
        for adapter in ADAPTERS
        for name, _ in inspect.getmembers(adapter, inspect.isfunction)
        if not name.startswith("_")
    }


class Caller:
    """Calls the adapters over `database`, and notes in `called` which of their methods it has called."""

    def __init__(self, database: Database, data: Data) -> None:
        self.called: set[str] = set()
        self._data = data
        self._attachments = PostgresAttachmentStore(database)
        self._claims = PostgresClaims(database)
        self._conversations = PostgresConversationStore(database)
        self._erasures = PostgresErasures(database)
        self._export = PostgresExport(database)
        self._features = PostgresFeatureStore(database)
        self._groups = PostgresGroupStore(database)
        self._identity = PostgresIdentity(database)
        self._history = PostgresMessageHistory(database)
        self._log = PostgresMessageLog(database)
        self._search = PostgresMessageSearch(database)
        self._relations = PostgresRelations(database)
        self._retention = PostgresRetention(database)
        self._standings = PostgresStandings(database)
        self._users = PostgresUserDirectory(database)
        for adapter in list(self._adapters()):
            self._note_calls_of(adapter)

    async def call_everything(self) -> None:
        await self._read()
        await self._find_users()
        group = await self._change_conversations()
        await self._change_messages(group)
        await self._attach(group)
        await self._relate(group)
        await self._identify()
        admin = user_id(1)
        await self._features.put(Feature("plans", True), admin, limit=1000)
        await self._features.all()
        await self._features.delete("plans")
        await self._retain(group)
        await self._take_along()
        await self._erase()
        await self._groups.delete(group, user_id(0), administrator=False)
        while await self._groups.purge(1000) == 1000:
            continue

    def _adapters(self) -> Iterator[object]:
        return (value for value in vars(self).values() if type(value) in ADAPTERS)

    def _note_calls_of(self, adapter: object) -> None:
        for name in [each for each in dir(adapter) if not each.startswith("_")]:
            method = getattr(adapter, name)
            if inspect.ismethod(method):

                def noted(*args: object, _method: object = method, _name: str = name, **more: object) -> object:
                    self.called.add(f"{type(adapter).__name__}.{_name}")
                    assert callable(_method)
                    return _method(*args, **more)

                setattr(adapter, name, noted)

    async def _read(self) -> None:
        deep, last = self._data.deep, self._data.deep_seq
        newest = await self._history.newest(deep, before_seq=last + 1, limit=PAGE)
        await self._history.newest(deep, before_seq=last // 2, limit=PAGE)
        await self._history.oldest(deep, after_seq=last // 2, limit=PAGE)
        for after in (0, last // 2, last, last + 500):
            await self._history.changed(deep, after_rev=after, limit=PAGE)
            await self._history.events(deep, after_rev=after, upto_rev=last * 2, limit=200)
            await self._history.event_floor(deep, after_rev=after, upto_rev=last * 2, limit=1000)
        await self._history.find([each.id for each in newest])
        await self._history.find([each.id for each in newest], deep)
        for query in (word(0), word(9000), f"{word(5)} {word(900)}", f'"{word(1)} {word(2)}"', f"{word(3)} -{word(4)}"):
            for where in (None, deep, conversation_id(5)):
                hits = await self._search.search(
                    user_id(0), query, conversation_id=where, after=None, limit=20, depth=10_000
                )
                if hits:
                    await self._search.search(
                        user_id(0), query, conversation_id=where, after=hits[-1].cursor, limit=20, depth=10_000
                    )
        await self._search.search_among(
            [deep, conversation_id(5)], user_id(0), word(5), after=None, limit=20, depth=10_000
        )
        rooms = [conversation_id(each) for each in range(0, self._data.conversations, self._data.conversations // 500)]
        await self._standings.standing(deep, user_id(0))
        await self._standings.members(deep)
        await self._standings.revs(rooms)
        await self._standings.marks_sums(rooms)
        await self._standings.companions(user_id(0), [user_id(each) for each in range(100)])

    async def _find_users(self) -> None:
        for text in ("name5", "famly27", "Name5 Family5"):
            await self._users.search(text, offset=0, limit=20)
        await self._users.search("", offset=0, limit=20)
        await self._users.get([user_id(each) for each in range(100)])
        await self._users.update(user_id(3), name="Name3 Family3", profile_picture_url=None)
        await self._users.add(uuid4(), f"{uuid4()}@example.com", "New")
        page = await self._users.conversations(user_id(0), before=None, limit=PAGE)
        await self._users.conversations(user_id(0), before=page[-1][1], limit=PAGE)
        listed = await self._users.listed(user_id(0), before=None, limit=PAGE)
        await self._users.listed(user_id(0), before=listed[-1].cursor, limit=PAGE)
        await self._users.shown([each.cursor.conversation_id for each in listed])
        await self._users.conversation_ids(user_id(0))

    async def _change_conversations(self) -> UUID:
        """A new group of user 0."""
        people = [user_id(each) for each in range(2, 8)]
        new = self._conversations.create
        group, _ = await new(uuid4(), ConversationType.GROUP, user_id(0), people, "Plans", None)
        for _ in range(2):
            await new(uuid4(), ConversationType.DIRECT, user_id(0), [user_id(9)], None, None)
        await self._conversations.load(self._data.deep)
        await self._conversations.add_members(group.id, user_id(0), [user_id(8)], max_members=100)
        await self._conversations.remove_member(group.id, user_id(0), people[0])
        await self._conversations.change_details(group.id, user_id(0), name="Plan", avatar_url=None)
        await self._conversations.save_marks(self._data.deep, [Mark(user_id(each), 5, 5) for each in range(100)])
        await self._groups.change_role(group.id, user_id(0), people[1], Role.ADMIN)
        return group.id

    async def _change_messages(self, group: UUID) -> None:
        def new(room: UUID, sender: UUID, client_message_id: str | None = None) -> NewMessage:
            return NewMessage(uuid4(), room, sender, word(7), client_message_id)

        first = new(group, user_id(0), "one")
        for batch in (
            [first],
            [first],
            [new(group, user_id(0), str(each)) for each in range(20)],
            [new(self._data.deep, user_id(each)) for each in range(20)],
            [new(group, user_id(0), "one"), new(group, user_id(1))],
        ):
            await self._log.append(batch)
        self._log.append_at_once([new(group, user_id(0))], lambda _: None)
        await self._log.edit(group, first.id, user_id(0), "edited")
        for present in (True, False):
            await self._log.react(group, first.id, user_id(0), "👍", present=present, max_distinct=20)
        await self._log.delete(group, first.id, user_id(0), moderator=False)

    async def _attach(self, group: UUID) -> None:
        owner = user_id(0)
        made = [Attachment(uuid4(), owner, f"key-{uuid4()}", "a.txt", Terms("text/plain", 5)) for _ in range(3)]
        for each in made:
            await self._attachments.promise(each, upload_seconds=0.0, max_unused=100)
        ids = [each.id for each in made]
        await self._attachments.mark_uploaded(ids[:1])
        await self._attachments.find(ids)
        message = NewMessage(uuid4(), group, owner, "with it", attachment_ids=(ids[0],))
        (outcome,) = await self._log.append([message])
        assert isinstance(outcome, Appended), outcome
        await self._log.delete(group, message.id, owner, moderator=False)
        await self._attachments.discard_unused(older_than=0.0, limit=100)
        await self._attachments.forget([each.id for each in await self._attachments.discarded(100)])

    async def _relate(self, group: UUID) -> None:
        owner = user_id(0)
        await self._relations.block(owner, user_id(9), max_blocks=1000)
        await self._relations.blocked_by(owner)
        await self._relations.unblock(owner, user_id(9))
        await self._relations.mute(group, owner, datetime.now(UTC) + _SOON)
        await self._relations.mute(group, owner, None)
        (message,) = await self._history.newest(self._data.deep, before_seq=10, limit=1)
        report, _ = await self._relations.report(uuid4(), message, owner, "spam")
        await self._relations.reports(before=None, limit=PAGE)
        await self._relations.reports(before=report.id, limit=PAGE)

    async def _retain(self, group: UUID) -> None:
        holder = uuid4()
        for _ in range(2):
            await self._claims.take("plans", holder, lease=60.0, interval=0.0)
        await self._claims.take("plans", uuid4(), lease=60.0, interval=0.0)
        await self._claims.hold("plans", holder, START, lease=60.0)
        await self._claims.finish("plans", holder)
        for after in (START, conversation_id(self._data.conversations // 2)):
            await self._retention.scan(after, limit=500)
        for age in (0.0, 1e9):
            await self._retention.cut(group, older_than=age, limit=5)

    async def _take_along(self) -> None:
        owner, deep = user_id(0), self._data.deep
        page = await self._export.memberships(owner, START, limit=PAGE)
        await self._export.memberships(owner, page[-1].conversation_id, limit=PAGE)
        for others in (False, True):
            await self._export.said(owner, deep, self._data.deep_seq // 2, limit=PAGE, others=others)
        await self._export.note(AuditEntry(uuid4(), owner, "export", "203.0.113.5", None))
        await self._export.audit(owner, START, limit=PAGE)
        await self._export.reports(owner, START, limit=PAGE)
        (message,) = await self._history.newest(deep, before_seq=10, limit=1)
        await self._log.react(deep, message.id, owner, "👍", present=True, max_distinct=20)
        reactions = await self._export.reactions(owner, None, limit=PAGE)
        await self._export.reactions(owner, reactions[-1], limit=PAGE)
        new = Attachment(uuid4(), owner, f"key-{uuid4()}", "a.txt", Terms("text/plain", 5))
        await self._attachments.promise(new, upload_seconds=0.0, max_unused=100)
        files = await self._export.attachments(owner, None, limit=PAGE)
        await self._export.attachments(owner, files[-1], limit=PAGE)

    async def _erase(self) -> None:
        holder, gone = uuid4(), user_id(10)
        await self._erasures.accept(gone, tombstone=True, entry=AuditEntry(uuid4(), gone, "erasure.requested"))
        job = await self._erasures.next_job(holder, lease=60.0)
        assert job is not None
        for within in (None, 60.0):
            await self._erasures.erased(within=within)
        await self._erasures.waiting()
        await self._erasures.memberships(gone, START, limit=PAGE)
        for room in await self._erasures.spoken_in(gone, START, limit=5):
            await self._erasures.tombstone(room, gone, 0, limit=PAGE)
        pair, _ = await self._conversations.create(
            uuid4(), ConversationType.DIRECT, user_id(0), [user_id(11)], None, None
        )
        await self._erasures.seal(pair.id, user_id(11))
        await self._erasures.save(job, holder, lease=60.0)
        await self._erasures.finish(job, holder, AuditEntry(uuid4(), gone, "erasure.finished"))

    async def _identify(self) -> None:
        now = datetime.now(UTC)
        account = Account(uuid4(), f"{uuid4()}@example.com", "Plan", None, confirmed=False, groups=("admins",))
        await self._identity.create([account])
        await self._identity.find(account.email)
        await self._identity.set_groups(account.user_id, ["admins"])
        for purpose in CodePurpose:
            await self._identity.put_code(account.user_id, OneTimeCode(purpose, b"code", now + _SOON, 5))
        await self._identity.confirm(account.user_id, b"wrong", now)
        await self._identity.confirm(account.user_id, b"code", now)
        await self._identity.reset_password(account.user_id, b"code", "hash", now)
        family = Family(uuid4(), account.user_id, b"one", now, now + _SOON)
        await self._identity.open(family)
        for token in (b"one", b"one", b"none"):
            await self._identity.rotate(family.id, token, b"two", b"nonce", now=now, repeat_after=now - _SOON)
        await self._identity.close(family.id)
        await self._identity.load_or_store(StoredKey("plans", b"pem"))
