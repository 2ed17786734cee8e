import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from './kit.mjs';

async function setUp(t) {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const topic = `/topic/conversation.${conversationId}`;
  const a = await connect(t, alice);
  const b = await connect(t, bob);
  const { inbox } = await b.subscribe(topic);
  await a.say(conversationId, 'one');
  await a.say(conversationId, 'two');
  await inbox.take('one');
  const { headers } = await inbox.take('two');
  await b.close();
  return { alice, bob, conversationId, topic, a, position: headers };
}

test('last-seq brings the messages created since, then live', async (t) => {
  const { bob, conversationId, topic, a, position } = await setUp(t);
  await a.say(conversationId, 'three');
  await a.say(conversationId, 'four');
  const b = await connect(t, bob);
  const { inbox } = await b.subscribe(topic, { 'last-seq': position.seq });
  await a.say(conversationId, 'five');
  for (const [index, text] of ['three', 'four', 'five'].entries()) {
    const { json } = await inbox.take(text);
    assert.deepEqual([json.seq, json.text], [index + 3, text]);
  }
  assert.deepEqual(inbox.rest, []);
});

test('last-rev brings what was created and what was changed since, in the order of rev', async (t) => {
  const { alice, bob, conversationId, topic, a, position } = await setUp(t);
  const three = await a.say(conversationId, 'three');
  const { body } = await rest('GET', `/api/messages?conversationId=${conversationId}&afterSeq=0`, { token: alice.token });
  await rest('PATCH', `/api/messages/${body.content[0].id}`, { token: alice.token, body: { text: 'one, edited' } });
  await rest('DELETE', `/api/messages/${three['message-id']}`, { token: alice.token });
  const b = await connect(t, bob);
  const { inbox } = await b.subscribe(topic, { 'last-rev': position.rev });
  await a.say(conversationId, 'four');
  const events = [];
  while (events.at(-1)?.text !== 'four') {
    const { headers, json } = await inbox.take('event');
    events.push({ rev: Number(headers.rev), event: headers.event, seq: json.seq, text: json.text });
  }
  const rev = Number(position.rev);
  assert.deepEqual(events, [
    { rev: rev + 1, event: 'message.created', seq: 3, text: '' }, // its creation, with its present body
    { rev: rev + 2, event: 'message.updated', seq: 1, text: 'one, edited' },
    { rev: rev + 3, event: 'message.deleted', seq: 3, text: '' },
    { rev: rev + 4, event: 'message.created', seq: 4, text: 'four' },
  ]);
});

test('after an abrupt end everything sent meanwhile is there once', async (t) => {
  const [carol, bob] = await Promise.all([signIn('carol'), signIn('bob')]);
  const conversationId = await newGroup(carol, bob);
  const topic = `/topic/conversation.${conversationId}`;
  const [c, b] = await Promise.all([connect(t, carol), connect(t, bob)]);
  const { inbox } = await b.subscribe(topic);
  await c.say(conversationId, 'm1');
  await inbox.take('m1');
  b.client.webSocket.terminate();
  await Promise.all(Array.from({ length: 30 }, (_, index) => c.say(conversationId, `m${index + 2}`)));
  const again = await connect(t, bob);
  const resumed = await again.subscribe(topic, { 'last-seq': '1' });
  for (let seq = 2; seq <= 31; seq += 1) assert.equal((await resumed.inbox.take(`message ${seq}`)).json.seq, seq);
});
