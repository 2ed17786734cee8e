/** A load balancer sends each request of one client to another node: what was answered is seen by the next request. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from '../stomp/kit.mjs';
import { NODES } from './places.mjs';

const [A, B, C] = NODES;
const ROUNDS = 10;
/** Where nodes of `dev` leave their mails. */
const MAIL_DIR = process.env.STACKMENTOR_MAIL_DIR;

/** Each ordered pair of nodes, so that a node's own state is asked for what another one did. */
const PAIRS = NODES.flatMap((left) => NODES.filter((right) => right !== left).map((right) => [left, right]));

test('a message that one node has acknowledged is in the next one\'s answers', async () => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  for (let number = 1; number <= ROUNDS; number += 1) {
    const [left, right] = PAIRS[number % PAIRS.length];
    const body = { conversationId, text: `message ${number}` };
    const sent = await rest('POST', '/api/messages', { at: left.at, token: alice.token, body });
    assert.equal(sent.status, 201);
    const page = await rest('GET', `/api/messages?conversationId=${conversationId}&page=0&size=1`, { at: right.at, token: alice.token });
    assert.deepEqual([page.body.totalElements, page.body.content[0]], [number, sent.body]);
    const one = await rest('GET', `/api/conversations/${conversationId}`, { at: right.at, token: bob.token });
    assert.deepEqual([one.body.lastSeq, one.body.lastMessage.text, one.body.unreadCount], [number, body.text, number]);
    const edited = await rest('PATCH', `/api/messages/${sent.body.id}`, { at: right.at, token: alice.token, body: { text: 'edited' } });
    assert.equal(edited.status, 200);
    const again = await rest('GET', `/api/messages?conversationId=${conversationId}&afterSeq=${number - 1}`, { at: left.at, token: bob.token });
    assert.deepEqual(again.body.content.map(({ text, rev }) => [text, rev]), [['edited', edited.body.rev]]);
  }
});

test('a read mark that one node has answered for counts in the next one\'s list', async () => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const listed = async (at) => {
    const { body } = await rest('GET', '/api/conversations', { at, token: bob.token });
    return body.find(({ id }) => id === conversationId).unreadCount;
  };
  for (let number = 1; number <= ROUNDS; number += 1) {
    const [left, right] = PAIRS[number % PAIRS.length];
    const sent = await rest('POST', '/api/messages', { at: left.at, token: alice.token, body: { conversationId, text: String(number) } });
    assert.equal(await listed(right.at), 1);
    const path = number % 2 ? `/api/messages/${sent.body.id}/read` : `/api/conversations/${conversationId}/read`;
    const body = number % 2 ? undefined : { seq: number };
    assert.equal((await rest('PUT', path, { at: left.at, token: bob.token, body })).status, 204);
    assert.equal(await listed(right.at), 0);
    const page = await rest('GET', `/api/messages?conversationId=${conversationId}&page=0&size=1`, { at: right.at, token: bob.token });
    assert.equal(page.body.content[0].isRead, true);
  }
});

test('a conversation that one node has made is subscribed to and written in on the next', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const [a, b] = await Promise.all([connect(t, alice, { url: C.url }), connect(t, bob, { url: B.url })]);
  for (const { at } of NODES) {
    const made = await rest('POST', '/api/conversations', {
      at, token: alice.token, body: { type: 'GROUP', name: 'New', participantIds: [bob.id] },
    });
    assert.equal(made.status, 201);
    const conversationId = made.body.id;
    const { inbox } = await b.subscribe(`/topic/conversation.${conversationId}`);
    await a.say(conversationId, 'first');
    assert.deepEqual((({ seq, text }) => [seq, text])((await inbox.take('message')).json), [1, 'first']);
  }
});

test('a DIRECT conversation that is made on all nodes at once is one', async () => {
  const [carol, fresh] = [await signIn('carol'), await signUp(`direct-${Date.now()}@example.com`)];
  const body = { type: 'DIRECT', participantIds: [fresh.id] };
  const answers = await Promise.all([...NODES, ...NODES].map(({ at }) => rest('POST', '/api/conversations', { at, token: carol.token, body })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 201]);
  assert.equal(new Set(answers.map((answer) => answer.body.id)).size, 1);
});

test('the same clientMessageId on another node gives the first message back', async () => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const body = { conversationId, text: 'once', clientMessageId: 'the same' };
  const answers = await Promise.all(NODES.map(({ at }) => rest('POST', '/api/messages', { at, token: alice.token, body })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 201]);
  assert.equal(new Set(answers.map((answer) => answer.body.id)).size, 1);
  const { body: page } = await rest('GET', `/api/messages?conversationId=${conversationId}&page=0`, { at: C.at, token: bob.token });
  assert.equal(page.totalElements, 1);
});

test('sign-up on one node, login on another, refresh on the third, and a logout holds on all', async () => {
  const email = `nomad-${Date.now()}@example.com`;
  const account = await signUp(email);
  const refreshed = await rest('POST', '/auth/refresh', { at: C.at, body: { refreshToken: account.refreshToken } });
  assert.equal(refreshed.status, 200, JSON.stringify(refreshed.body));
  const { accessToken: token, refreshToken } = refreshed.body;
  for (const { at } of NODES) {
    const me = await rest('GET', '/api/users/me', { at, token });
    assert.deepEqual([me.status, me.body.id, me.body.email], [200, account.id, email]);
  }
  const repeated = await rest('POST', '/auth/refresh', { at: A.at, body: { refreshToken: account.refreshToken } });
  assert.equal(repeated.status, 200, 'the answer was lost with its node: the same token again, elsewhere');
  assert.equal((await rest('POST', '/auth/logout', { at: A.at, body: { refreshToken } })).status, 204);
  for (const { at } of NODES) {
    const dead = await rest('POST', '/auth/refresh', { at, body: { refreshToken } });
    assert.equal(dead.status, 401);
  }
});

test('a name that was changed on one node is in the next one\'s messages and answers', async () => {
  const account = await signUp(`renamed-${Date.now()}@example.com`);
  const bob = await signIn('bob');
  const conversationId = await newGroup(account, bob);
  for (const [index, [left, right]] of PAIRS.entries()) {
    const name = `Name ${index}`;
    assert.equal((await rest('PATCH', '/api/users/me', { at: left.at, token: account.token, body: { name } })).status, 200);
    assert.equal((await rest('GET', `/api/users/${account.id}`, { at: right.at, token: bob.token })).body.name, name);
    const sent = await rest('POST', '/api/messages', { at: right.at, token: account.token, body: { conversationId, text: name } });
    assert.equal(sent.body.senderName, name);
  }
});

/** Sign up on the first node, confirm on the third by the mailed code, sign in on the second. */
async function signUp(email) {
  const password = 'Str0ngenough';
  const made = await rest('POST', '/auth/signup', { at: A.at, body: { email, password, name: 'Nomad' } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const confirmed = await rest('POST', '/auth/confirm', { at: C.at, body: { email, code: await mailedCode(email) } });
  assert.equal(confirmed.status, 204, JSON.stringify(confirmed.body));
  const login = await rest('POST', '/auth/login', { at: B.at, body: { email, password } });
  assert.equal(login.status, 200, JSON.stringify(login.body));
  return { id: made.body.userId, token: login.body.accessToken, refreshToken: login.body.refreshToken };
}

async function mailedCode(email) {
  const names = await readdir(MAIL_DIR);
  const mail = await readFile(path.join(MAIL_DIR, names.find((name) => name.endsWith(`-${email}.eml`))), 'utf8');
  return /^\r?\n[^]*?\b(\d{6})\b/m.exec(mail)[1];
}
