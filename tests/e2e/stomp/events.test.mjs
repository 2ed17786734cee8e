import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from './kit.mjs';

async function twoInAGroup(t) {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  return { alice, bob, conversationId, topic: `/topic/conversation.${conversationId}`, a, b };
}

test('typing is seen while it lasts, and by who subscribes meanwhile', async (t) => {
  const { alice, conversationId, topic, a, b } = await twoInAGroup(t);
  const { inbox } = await b.subscribe(`${topic}.typing`);
  await a.send('/app/typing.start', { conversationId });
  assert.deepEqual((await inbox.take('typing')).json, { conversationId, userId: alice.id, isTyping: true });
  const later = await b.subscribe(`${topic}.typing`);
  assert.deepEqual((await later.inbox.take('typing')).json, { conversationId, userId: alice.id, isTyping: true });
  await a.send('/app/typing.stop', { conversationId });
  assert.deepEqual((await inbox.take('typing')).json, { conversationId, userId: alice.id, isTyping: false });
});

test('a sent message and a lost connection end typing', async (t) => {
  const { alice, conversationId, topic, a, b } = await twoInAGroup(t);
  const { inbox } = await b.subscribe(`${topic}.typing`);
  await a.send('/app/typing.start', { conversationId });
  assert.equal((await inbox.take('typing')).json.isTyping, true);
  await a.say(conversationId, 'done');
  assert.equal((await inbox.take('typing')).json.isTyping, false);

  const other = await connect(t, alice);
  await new Promise((resolve) => setTimeout(resolve, 1_100)); // a start within a second of the last is dropped
  await other.send('/app/typing.start', { conversationId });
  assert.equal((await inbox.take('typing')).json.isTyping, true);
  other.client.webSocket.terminate();
  assert.equal((await inbox.take('typing')).json.isTyping, false);
});

test('reading moves the mark, is seen by the others, and never goes back', async (t) => {
  const { bob, conversationId, topic, a, b } = await twoInAGroup(t);
  const { inbox } = await a.subscribe(`${topic}.read`);
  for (const text of ['one', 'two', 'three']) await a.say(conversationId, text);
  const ofBob = (frame) => frame.json.userId === bob.id;
  await b.send('/app/message.read', { conversationId, seq: 2 });
  const first = await inbox.take('read mark', ofBob);
  assert.deepEqual(first.json, { conversationId, userId: bob.id, lastReadSeq: 2, lastDeliveredSeq: 2 });
  await b.send('/app/message.read', { conversationId, seq: 1 });
  await b.send('/app/message.read', { conversationId, seq: 99 });
  const last = await inbox.take('read mark', ofBob);
  assert.deepEqual(last.json, { conversationId, userId: bob.id, lastReadSeq: 3, lastDeliveredSeq: 3 });
  const { body } = await rest('GET', `/api/conversations/${conversationId}`, { token: bob.token });
  assert.equal(body.unreadCount, 0);
});

test('a delivered message moves the delivered mark only', async (t) => {
  const { bob, conversationId, topic, a, b } = await twoInAGroup(t);
  const { inbox } = await a.subscribe(`${topic}.read`);
  await b.subscribe(topic);
  await a.say(conversationId, 'hello');
  const { json } = await inbox.take('delivered mark', (frame) => frame.json.userId === bob.id);
  assert.deepEqual(json, { conversationId, userId: bob.id, lastReadSeq: 0, lastDeliveredSeq: 1 });
});

test('the notification queue tells of a new conversation and of messages in those not subscribed', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  const { inbox } = await b.subscribe('/user/queue/notification');
  const conversationId = await newGroup(alice, bob);
  const here = (frame) => frame.json.conversationId === conversationId;
  assert.equal((await inbox.take('notification', here)).json.type, 'conversation.created');
  await a.say(conversationId, 'are you there?');
  const { json } = await inbox.take('notification', here);
  assert.deepEqual([json.type, json.preview, json.unreadCount], ['message.created', 'are you there?', 1]);
});
