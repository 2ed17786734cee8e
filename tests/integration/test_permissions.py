"""Random users, roles and calls against a small model: who may do what, and that no answer tells a stranger anything.

Each operation is a method that gives the call and, by the model, the statuses it may have; more routes are added by
more of them.
"""

import json
import random
from collections.abc import Callable
from urllib.parse import quote
from uuid import UUID, uuid4

import attrs
import pytest

from chathttp.settings import Settings
from tests.kit.rest import Answer, RestKit, open_rest

STEPS = 120
THUMB = quote("👍", safe="")


@attrs.define
class Group:
    """What the model knows of a conversation; `secret` is its name, and part of all that is said in it."""

    id: str
    secret: str
    roles: dict[int, str]
    joined: dict[int, int]
    is_direct: bool = False
    silenced: set[int] = attrs.field(factory=set[int])
    messages: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    dead: set[str] = attrs.field(factory=set[str])
    gone: bool = False

    def may_manage(self, user: int) -> bool:
        return self.roles.get(user) in {"owner", "admin"}


Call = tuple[str, str, object, int, Callable[[Answer], None] | None]
"""Method, path, body, the expected status, and what is learnt from an answer that succeeds."""


class World:
    def __init__(self, rng: random.Random, ids: list[UUID], server_roles: list[tuple[str, ...]]) -> None:
        self.rng = rng
        self.ids = ids
        self.server_roles = server_roles
        self.groups: list[Group] = []
        self.turn = 0
        self.operations: list[Callable[[int, Group], Call]] = [
            self.read,
            self.history,
            self.rename,
            self.send,
            self.send,
            self.react,
            self.edit,
            self.erase,
            self.add,
            self.remove,
            self.change_role,
            self.delete,
            self.mute,
            self.report,
            self.mark_read,
            self.block,
            self.unblock,
        ]

    def family(self, group: Group) -> tuple[str, str]:
        if not group.is_direct and self.rng.random() < 0.5:
            return f"/api/groups/{group.id}", "members"
        return f"/api/conversations/{group.id}", "participants"

    @staticmethod
    def for_member(group: Group, user: int, status: int) -> int:
        return 404 if group.gone else status if user in group.roles else 403

    def read(self, user: int, group: Group) -> Call:
        return "GET", self.family(group)[0], None, self.for_member(group, user, 200), None

    def history(self, user: int, group: Group) -> Call:
        return "GET", f"/api/messages?conversationId={group.id}", None, self.for_member(group, user, 200), None

    def rename(self, user: int, group: Group) -> Call:
        status = self.for_member(group, user, 409 if group.is_direct else 200)
        return "PATCH", self.family(group)[0], {"name": group.secret}, status, None

    def send(self, user: int, group: Group) -> Call:
        def learn(answer: Answer) -> None:
            group.messages.append((answer.json["id"], user))

        status = self.for_member(group, user, 403 if user in group.silenced else 201)
        return "POST", "/api/messages", {"conversationId": group.id, "text": group.secret}, status, learn

    def message(self, group: Group) -> tuple[str, int]:
        return self.rng.choice(group.messages) if group.messages else (str(uuid4()), -1)

    def react(self, user: int, group: Group) -> Call:
        message, sender = self.message(group)
        may = 403 if user in group.silenced else 409 if message in group.dead else 204
        status = 404 if sender < 0 else self.for_member(group, user, may)
        return "PUT", f"/api/messages/{message}/reactions/{THUMB}", None, status, None

    def edit(self, user: int, group: Group) -> Call:
        message, sender = self.message(group)
        may = 403 if user != sender or user in group.silenced else 409 if message in group.dead else 200
        status = 404 if sender < 0 else self.for_member(group, user, may)
        return "PATCH", f"/api/messages/{message}", {"text": group.secret}, status, None

    def erase(self, user: int, group: Group) -> Call:
        message, sender = self.message(group)
        moderates = bool({"admins", "moderators"}.intersection(self.server_roles[user]))
        status = 404 if sender < 0 or group.gone else 204 if moderates else self.for_member(group, user, 204)
        if status == 204 and not moderates and user != sender:
            status = 403
        return "DELETE", f"/api/messages/{message}", None, status, lambda _: group.dead.add(message)

    def add(self, user: int, group: Group) -> Call:
        other = self.rng.randrange(len(self.ids))

        def learn(_: Answer) -> None:
            if other not in group.roles:
                group.roles[other], group.joined[other] = "member", self.turn

        may = 409 if group.is_direct else 200 if group.may_manage(user) else 403
        base, members = self.family(group)
        status = self.for_member(group, user, may)
        return "POST", f"{base}/{members}", {"userIds": [str(self.ids[other])]}, status, learn

    def remove(self, user: int, group: Group) -> Call:
        other = self.rng.randrange(len(self.ids))

        def learn(_: Answer) -> None:
            role = group.roles.pop(other)
            if not group.roles:
                group.gone = True
            elif role == "owner":
                heirs = group.roles
                admins = [each for each in heirs if heirs[each] == "admin"] or list(heirs)
                heir = min(admins, key=lambda each: (group.joined[each], self.ids[each]))
                group.roles[heir] = "owner"

        may = 409
        if not group.is_direct and user == other:
            may = 204
        elif not group.is_direct:
            role = group.roles.get(other)
            may = 403 if not group.may_manage(user) or role == "owner" else 404 if role is None else 204
        base, members = self.family(group)
        return "DELETE", f"{base}/{members}/{self.ids[other]}", None, self.for_member(group, user, may), learn

    def change_role(self, user: int, group: Group) -> Call:
        other, role = self.rng.randrange(len(self.ids)), self.rng.choice(["owner", "admin", "member"])

        def learn(_: Answer) -> None:
            if role == "owner":
                group.roles[user] = "admin"
            group.roles[other] = role

        may = 200
        if group.is_direct or (user == other and role != "owner"):
            may = 409
        elif other not in group.roles:
            may = 404
        if not group.is_direct and group.roles.get(user) != "owner":
            may = 403
        base, members = self.family(group)
        status = self.for_member(group, user, may)
        return "PATCH", f"{base}/{members}/{self.ids[other]}", {"role": role}, status, learn

    def delete(self, user: int, group: Group) -> Call:
        def learn(_: Answer) -> None:
            group.gone = True

        administers = "admins" in self.server_roles[user]
        may = 409 if group.is_direct else 204 if administers or group.roles.get(user) == "owner" else 403
        status = 404 if group.gone else may if administers else self.for_member(group, user, may)
        return "DELETE", f"/api/groups/{group.id}", None, status, learn

    def mute(self, user: int, group: Group) -> Call:
        status = self.for_member(group, user, 204)
        return "PUT", f"/api/conversations/{group.id}/mute", {"until": "2100-01-01T00:00:00Z"}, status, None

    def report(self, user: int, group: Group) -> Call:
        message, sender = self.message(group)
        status = 404 if sender < 0 else self.for_member(group, user, 201)
        return "POST", "/api/reports", {"messageId": message, "reason": "spam"}, status, None

    def mark_read(self, user: int, group: Group) -> Call:
        status = self.for_member(group, user, 204)
        return "PUT", f"/api/conversations/{group.id}/read", {"seq": 1}, status, None

    def _set_block(self, method: str, user: int) -> Call:
        other = self.rng.randrange(len(self.ids))

        def learn(_: Answer) -> None:
            for group in self.groups:
                if group.is_direct and {user, other} == set(group.roles):
                    (group.silenced.add if method == "PUT" else group.silenced.discard)(other)

        status = 400 if user == other and method == "PUT" else 204
        return method, f"/api/users/me/blocks/{self.ids[other]}", None, status, learn

    def block(self, user: int, _: Group) -> Call:
        return self._set_block("PUT", user)

    def unblock(self, user: int, _: Group) -> Call:
        return self._set_block("DELETE", user)


async def open_conversations(rest: RestKit, world: World, tokens: list[str]) -> None:
    for number in range(4):
        owner, *others = world.rng.sample(range(len(tokens)), 3)
        secret = f"secret-{uuid4().hex}"
        given: dict[str, object] = {"name": secret, "memberIds": [str(world.ids[each]) for each in others]}
        path = "/api/groups"
        if number == 0:
            others = others[:1]
            given = {"type": "DIRECT", "participantIds": [str(world.ids[others[0]])]}
            path = "/api/conversations"
        made = await rest.call("POST", path, given, token=tokens[owner])
        assert made.status == 201
        roles = {owner: "member" if number == 0 else "owner"} | dict.fromkeys(others, "member")
        world.groups.append(Group(made.json["id"], secret, roles, dict.fromkeys(roles, 0), is_direct=number == 0))


def told_to(answer: Answer, world: World, user: int) -> None:
    """No answer bears the secret of a conversation that the user is no member of."""
    for group in world.groups:
        if user not in group.roles or group.gone:
            assert group.secret.encode() not in answer.body, f"user {user} was told of {group.id}"


@pytest.mark.parametrize("seed", range(8))
async def test_everybody_may_what_the_model_says_and_no_stranger_is_told_anything(seed: int) -> None:
    rng = random.Random(seed)
    async with open_rest(Settings(send_burst=10_000)) as rest:
        server_roles: list[tuple[str, ...]] = [(), (), (), (), ("moderators",), ("admins",)]
        people = [await rest.user(f"user{number}", roles) for number, roles in enumerate(server_roles)]
        tokens = [token for _, token in people]
        world = World(rng, [user_id for user_id, _ in people], server_roles)
        await open_conversations(rest, world, tokens)
        reported: set[tuple[int, object]] = set()
        for turn in range(1, STEPS):
            world.turn = turn
            user, group = rng.randrange(len(people)), rng.choice(world.groups)
            method, path, body, status, learn = rng.choice(world.operations)(user, group)
            answer = await rest.call(method, path, body, token=tokens[user])
            key = (user, json.dumps(body))
            if path == "/api/reports" and status == 201 and key in reported:
                status = 200
            assert answer.status == status, f"{method} {path} {body} by {user} in {group}: {answer.body!r}"
            if answer.status < 300:
                reported.add(key)
                if learn is not None:
                    learn(answer)
            told_to(answer, world, user)
            listed = await rest.call("GET", "/api/conversations", token=tokens[user])
            told_to(listed, world, user)
            mine = {each.id for each in world.groups if user in each.roles and not each.gone}
            assert {each["id"] for each in listed.json} == mine
