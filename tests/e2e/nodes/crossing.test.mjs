import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from '../stomp/kit.mjs';
import { NODES } from './places.mjs';

/** Alice, Bob and Carol in a group, each on a node of their own, and subscribed there to `suffix` of its topic. */
async function onThreeNodes(t, suffix = '') {
  const users = await Promise.all(['alice', 'bob', 'carol'].map((name, index) => signIn(name, NODES[index].at)));
  const conversationId = await newGroup(...users);
  const topic = `/topic/conversation.${conversationId}`;
  const connections = await Promise.all(users.map((user, index) => connect(t, user, { url: NODES[index].url })));
  const inboxes = [];
  for (const connection of connections) inboxes.push((await connection.subscribe(topic + suffix)).inbox);
  return { users, conversationId, topic, connections, inboxes };
}

const plain = ({ isRead, ...message }) => message; // isRead is the caller's own

test('what each says on his node all hear on theirs, the same bytes in the same order', async (t) => {
  const { users, conversationId, topic, connections, inboxes } = await onThreeNodes(t);
  const texts = Array.from({ length: 12 }, (_, index) => `number ${index} ünïcödé 🙂\r\n\\:`);
  const receipts = [];
  for (const [index, text] of texts.entries()) receipts.push(await connections[index % 3].say(conversationId, text));
  for (const [index, text] of texts.entries()) {
    const frames = await Promise.all(inboxes.map((inbox) => inbox.take(`message ${index}`)));
    for (const { body, headers, json } of frames) {
      assert.equal(body, frames[0].body);
      assert.deepEqual([json.seq, json.text, json.senderId], [index + 1, text, users[index % 3].id]);
      assert.deepEqual([json.id, String(json.seq)], [receipts[index]['message-id'], receipts[index].seq]);
      assert.deepEqual([headers.event, headers.seq, headers.rev, headers.destination], [
        'message.created', String(index + 1), String(json.rev), topic,
      ]);
    }
  }
  assert.deepEqual(inboxes.map((inbox) => inbox.rest), [[], [], []]);
});

test('who writes at once on three nodes is heard by all in one order', async (t) => {
  const { conversationId, connections, inboxes } = await onThreeNodes(t);
  const each = 25;
  const receipts = await Promise.all(
    connections.flatMap((connection, node) =>
      Array.from({ length: each }, (_, index) => connection.say(conversationId, `${node}-${index}`)),
    ),
  );
  const numbers = receipts.map(({ seq }) => Number(seq)).sort((left, right) => left - right);
  assert.deepEqual(numbers, Array.from({ length: 3 * each }, (_, index) => index + 1));
  const heard = [];
  for (const inbox of inboxes) {
    const texts = [];
    for (let seq = 1; seq <= 3 * each; seq += 1) {
      const { json } = await inbox.take(`message ${seq}`);
      assert.equal(json.seq, seq);
      texts.push(json.text);
    }
    heard.push(texts);
  }
  assert.deepEqual(heard[1], heard[0]);
  assert.deepEqual(heard[2], heard[0]);
  for (const node of [0, 1, 2]) {
    const own = heard[0].filter((text) => text.startsWith(`${node}-`));
    assert.deepEqual(own, Array.from({ length: each }, (_, index) => `${node}-${index}`), 'a sender\'s own order');
  }
});

test('edits and deletions cross, whichever node they are made on', async (t) => {
  const { users, conversationId, connections, inboxes } = await onThreeNodes(t);
  const [alice, bob] = users;
  const { 'message-id': id } = await connections[0].say(conversationId, 'first form');
  const change = async (event, expected) => {
    const frames = await Promise.all(inboxes.map((inbox) => inbox.take(event)));
    for (const { headers, json } of frames) {
      assert.deepEqual([headers.event, json.id, json.seq], [event, id, 1]);
      assert.equal(headers.rev, frames[0].headers.rev);
      expected(json);
    }
    return Number(frames[0].headers.rev);
  };
  const revs = [await change('message.created', (json) => assert.equal(json.text, 'first form'))];

  const edited = await rest('PATCH', `/api/messages/${id}`, { at: NODES[1].at, token: alice.token, body: { text: 'second form' } });
  assert.equal(edited.status, 200);
  revs.push(await change('message.updated', (json) => assert.deepEqual([json.text, typeof json.editedAt], ['second form', 'string'])));

  assert.equal((await rest('DELETE', `/api/messages/${id}`, { at: NODES[2].at, token: alice.token })).status, 204);
  revs.push(await change('message.deleted', (json) => assert.deepEqual([json.text, typeof json.deletedAt], ['', 'string'])));

  assert.deepEqual(revs, [0, 1, 2].map((index) => revs[0] + index));
  for (const { at } of NODES) {
    const { body } = await rest('GET', `/api/messages?conversationId=${conversationId}&page=0`, { at, token: bob.token });
    assert.deepEqual(body.content.map(({ text, rev }) => [text, rev]), [['', revs[2]]]);
  }
});

test('typing crosses: its start, who types already, its end by a message and by a lost connection', async (t) => {
  const { users, conversationId, topic, connections, inboxes } = await onThreeNodes(t, '.typing');
  const typing = (isTyping) => ({ conversationId, userId: users[0].id, isTyping });
  const heard = async (expected) => {
    for (const inbox of inboxes) assert.deepEqual((await inbox.take('typing')).json, expected);
  };
  await connections[0].send('/app/typing.start', { conversationId });
  await heard(typing(true));
  const later = await connect(t, users[1], { url: NODES[2].url });
  const { inbox } = await later.subscribe(`${topic}.typing`);
  assert.deepEqual((await inbox.take('who types already')).json, typing(true));
  inboxes.push(inbox);
  await connections[0].say(conversationId, 'done');
  await heard(typing(false));

  const other = await connect(t, users[0], { url: NODES[0].url });
  await new Promise((resolve) => setTimeout(resolve, 1_100)); // a start within a second of the last is dropped
  await other.send('/app/typing.start', { conversationId });
  await heard(typing(true));
  other.client.webSocket.terminate();
  await heard(typing(false));
  assert.deepEqual(inboxes.map((each) => each.rest), [[], [], [], []]);
});

test('read marks cross and never go back', async (t) => {
  const { users, conversationId, connections, inboxes } = await onThreeNodes(t, '.read');
  const [alice, bob] = users;
  for (const text of ['one', 'two', 'three']) await connections[0].say(conversationId, text);
  const ofBob = (frame) => frame.json.userId === bob.id;
  const seen = async (seq) => {
    const expected = { conversationId, userId: bob.id, lastReadSeq: seq, lastDeliveredSeq: seq };
    for (const inbox of inboxes) assert.deepEqual((await inbox.take('read mark', ofBob)).json, expected);
  };
  await connections[1].send('/app/message.read', { conversationId, seq: 2 });
  await seen(2);
  await connections[1].send('/app/message.read', { conversationId, seq: 1 });
  const back = await rest('PUT', `/api/conversations/${conversationId}/read`, { at: NODES[2].at, token: bob.token, body: { seq: 1 } });
  assert.equal(back.status, 204);
  const all = await rest('PUT', `/api/conversations/${conversationId}/read`, { at: NODES[0].at, token: bob.token, body: { seq: 99 } });
  assert.equal(all.status, 204);
  await seen(3);
  for (const { at } of NODES) {
    const { body } = await rest('GET', `/api/conversations/${conversationId}`, { at, token: alice.token });
    assert.equal(body.participants.find(({ userId }) => userId === bob.id).lastReadSeq, 3);
  }
});

test('a delivered mark crosses', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const topic = `/topic/conversation.${conversationId}`;
  const a = await connect(t, alice, { url: NODES[0].url });
  const b = await connect(t, bob, { url: NODES[2].url });
  const { inbox } = await a.subscribe(`${topic}.read`);
  await b.subscribe(topic);
  await a.say(conversationId, 'hello');
  const { json } = await inbox.take('delivered mark', (frame) => frame.json.userId === bob.id);
  assert.deepEqual(json, { conversationId, userId: bob.id, lastReadSeq: 0, lastDeliveredSeq: 1 });
});

test('presence crosses: online with the first device, offline with the last', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const a = await connect(t, alice, { url: NODES[0].url });
  const { inbox } = await a.subscribe(`/topic/conversation.${conversationId}.presence`);
  const ofBob = (frame) => frame.json.userId === bob.id;
  const asked = async ({ at }) => (await rest('GET', `/api/presence?userIds=${bob.id}`, { at, token: alice.token })).body[0];
  const before = Date.now();

  const phone = await connect(t, bob, { url: NODES[1].url });
  assert.deepEqual((await inbox.take('online', ofBob)).json, { conversationId, userId: bob.id, online: true });
  const laptop = await connect(t, bob, { url: NODES[2].url });
  await phone.close();
  for (const node of NODES) assert.deepEqual(await asked(node), { userId: bob.id, online: true, lastSeenAt: null });
  await laptop.close();
  assert.deepEqual((await inbox.take('offline', ofBob)).json, { conversationId, userId: bob.id, online: false });
  for (const node of NODES) {
    const { online, lastSeenAt } = await asked(node);
    assert.equal(online, false);
    assert.ok(Date.parse(lastSeenAt) >= before - 1_000 && Date.parse(lastSeenAt) <= Date.now() + 1_000, lastSeenAt);
  }
  assert.deepEqual(inbox.rest.filter(ofBob), [], 'the change of devices is nobody\'s business');
});

test('a message that REST sent on one node arrives on the others as it answered', async (t) => {
  const { users, conversationId, inboxes } = await onThreeNodes(t);
  const body = { conversationId, text: 'by REST' };
  const { status, body: answer } = await rest('POST', '/api/messages', { at: NODES[1].at, token: users[0].token, body });
  assert.equal(status, 201);
  for (const inbox of inboxes) assert.deepEqual(plain((await inbox.take('message')).json), plain(answer));
});
