import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from '../stomp/kit.mjs';
import { AT_ONCE_MS, NODES } from './places.mjs';

async function removedElsewhere(t) {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => signIn(name)));
  const conversationId = await newGroup(alice, bob, carol);
  const topic = `/topic/conversation.${conversationId}`;
  const c = await connect(t, carol, { url: NODES[0].url });
  const b = await connect(t, bob, { url: NODES[1].url });
  const { inbox: notes } = await b.subscribe('/user/queue/notification');
  const { inbox } = await b.subscribe(topic);
  const { inbox: typing } = await b.subscribe(`${topic}.typing`);
  await c.say(conversationId, 'before');
  assert.equal((await inbox.take('before')).json.text, 'before');
  return { alice, bob, conversationId, topic, b, c, notes, inbox, typing };
}

const removal = (conversationId, { id }) => `/api/conversations/${conversationId}/participants/${id}`;

test('a member who is removed on one node hears nothing more on another, and is told', async (t) => {
  const { alice, bob, conversationId, topic, b, c, notes, inbox, typing } = await removedElsewhere(t);
  const { status } = await rest('DELETE', removal(conversationId, bob), { at: NODES[0].at, token: alice.token });
  const at = Date.now();
  assert.equal(status, 204);
  await c.say(conversationId, 'of a later rev'); // never delivered, however soon it comes
  const here = (frame) => frame.json.conversationId === conversationId && frame.json.type === 'participant.removed';
  const { json } = await notes.take('participant.removed', here);
  assert.ok(Date.now() - at < AT_ONCE_MS, `told after ${Date.now() - at} ms`);
  assert.deepEqual([json.conversationId, json.userIds ?? json.userId], [conversationId, json.userIds ? [bob.id] : bob.id]);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, at + AT_ONCE_MS - Date.now())));
  await c.send('/app/typing.start', { conversationId }); // what bears no rev ends too
  await c.say(conversationId, 'and again');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual([inbox.rest, typing.rest, b.errors.rest, b.closes.rest], [[], [], [], []]);

  const { inbox: errors } = await b.subscribe('/user/queue/errors');
  const { receiptId, isReceived } = b.sendRefused('/app/message.send', JSON.stringify({ conversationId, text: 'let me' }));
  const refusal = (await errors.take('refusal')).json;
  assert.deepEqual([refusal.errorCode, refusal.receipt, isReceived()], ['FORBIDDEN', receiptId, false]);
  b.client.subscribe(topic, () => {}, { receipt: 'again' });
  assert.equal((await b.errors.take('ERROR')).headers.message, 'FORBIDDEN');
  for (const node of NODES) {
    const answer = await rest('GET', `/api/conversations/${conversationId}`, { at: node.at, token: bob.token });
    assert.deepEqual([answer.status, answer.body.errorCode], [403, 'FORBIDDEN']);
  }
});

test('a member who is added on one node is told on another and hears what is written from then on', async (t) => {
  const { alice, bob, conversationId, topic, b, c, notes } = await removedElsewhere(t);
  const path = removal(conversationId, bob);
  assert.equal((await rest('DELETE', path, { at: NODES[2].at, token: alice.token })).status, 204);
  await notes.take('removal', (frame) => frame.json.type === 'participant.removed');
  const body = { userIds: [bob.id] };
  const added = await rest('POST', `/api/conversations/${conversationId}/participants`, { at: NODES[0].at, token: alice.token, body });
  assert.ok(added.status < 300, JSON.stringify(added));
  const isAdded = (frame) => frame.json.conversationId === conversationId && frame.json.type !== 'participant.removed';
  assert.ok(['conversation.created', 'participant.added'].includes((await notes.take('addition', isAdded)).json.type));
  const { inbox } = await b.subscribe(topic);
  await c.say(conversationId, 'welcome back');
  assert.equal((await inbox.take('welcome')).json.text, 'welcome back');
});
