import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from '../stomp/kit.mjs';
import { NODES } from './places.mjs';

test('a user\'s devices on two nodes are notified alike, with the right unread counts', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const devices = await Promise.all([NODES[1], NODES[2]].map(({ url }) => connect(t, bob, { url })));
  const inboxes = await Promise.all(devices.map(async (device) => (await device.subscribe('/user/queue/notification')).inbox));
  const a = await connect(t, alice, { url: NODES[0].url });
  const conversationId = await newGroup(alice, bob);
  const here = (frame) => frame.json.conversationId === conversationId;
  const next = async (fits) => Promise.all(inboxes.map((inbox) => inbox.take('notification', (frame) => here(frame) && fits(frame.json))));

  for (const { json } of await next(() => true)) assert.equal(json.type, 'conversation.created');
  await a.say(conversationId, 'one');
  for (const { json } of await next(() => true)) {
    assert.deepEqual([json.type, json.preview, json.unreadCount], ['message.created', 'one', 1]);
  }
  // At most one a second: several messages are told by the last of them.
  await a.say(conversationId, 'two');
  await a.say(conversationId, 'three');
  for (const { json } of await next(({ unreadCount }) => unreadCount === 3)) {
    assert.deepEqual([json.type, json.preview], ['message.created', 'three']);
  }

  // Read on the one device: the next count is right on the other, too.
  await devices[0].send('/app/message.read', { conversationId, seq: 3 });
  for (const { at } of NODES) {
    const { body } = await rest('GET', `/api/conversations/${conversationId}`, { at, token: bob.token });
    assert.equal(body.unreadCount, 0, at);
  }
  await a.say(conversationId, 'four');
  for (const { json } of await next(({ preview }) => preview === 'four')) assert.equal(json.unreadCount, 1);
});

test('a device that is subscribed to the conversation is not notified of its messages, the other one is', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const a = await connect(t, alice, { url: NODES[0].url });
  const [watching, idle] = await Promise.all([NODES[1], NODES[2]].map(({ url }) => connect(t, bob, { url })));
  const [ofWatching, ofIdle] = await Promise.all(
    [watching, idle].map(async (device) => (await device.subscribe('/user/queue/notification')).inbox),
  );
  const { inbox } = await watching.subscribe(`/topic/conversation.${conversationId}`);
  await a.say(conversationId, 'hello');
  const here = (frame) => frame.json.conversationId === conversationId;
  const { json } = await ofIdle.take('notification', here);
  assert.deepEqual([json.type, json.preview, json.unreadCount], ['message.created', 'hello', 1]);
  assert.equal((await inbox.take('message')).json.text, 'hello');
  const path = `/api/conversations/${conversationId}`;
  assert.equal((await rest('PATCH', path, { at: NODES[0].at, token: alice.token, body: { name: 'Renamed' } })).status, 200);
  // Later than what there could have been of the message.
  assert.equal((await ofWatching.take('the change of name', here)).json.type, 'conversation.updated');
  assert.deepEqual(ofWatching.rest.filter(here), []);
});
