import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newConnection, newGroup, rest, signIn } from './kit.mjs';

test('a refused SEND comes on the errors queue, without a receipt, and the connection stays', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const a = await connect(t, alice);
  const { inbox } = await a.subscribe('/user/queue/errors');
  const refusals = [
    ['/app/message.send', JSON.stringify({ conversationId, text: '   ' }), 'VALIDATION_ERROR'],
    ['/app/message.send', JSON.stringify({ conversationId, text: 'x'.repeat(10_001) }), 'VALIDATION_ERROR'],
    ['/app/message.send', '{"conversationId": ', 'VALIDATION_ERROR'],
    ['/app/message.send', JSON.stringify({ conversationId: alice.id, text: 'no such conversation' }), 'NOT_FOUND'],
    ['/app/nowhere', '{}', 'NOT_FOUND'],
  ];
  for (const [destination, body, errorCode] of refusals) {
    const { receiptId, isReceived } = a.sendRefused(destination, body);
    const { json } = await inbox.take(`refusal of ${body.slice(0, 40)}`);
    assert.deepEqual([json.errorCode, json.destination, json.receipt], [errorCode, destination, receiptId]);
    assert.equal(typeof json.message, 'string');
    assert.equal(isReceived(), false);
  }
  const { seq } = await a.say(conversationId, 'still here');
  assert.equal(seq, '1');
});

test('a stranger can neither subscribe nor send nor type nor read, and his connection stays', async (t) => {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => signIn(name)));
  const conversationId = await newGroup(alice, bob);
  const [a, c] = await Promise.all([connect(t, alice), connect(t, carol)]);
  const { inbox } = await c.subscribe('/user/queue/errors');
  for (const suffix of ['', '.typing', '.read']) {
    const subscription = c.client.subscribe(`/topic/conversation.${conversationId}${suffix}`, () => assert.fail('a message'));
    const error = await c.errors.take('ERROR frame');
    assert.equal(error.headers.message, 'FORBIDDEN');
    assert.equal(error.headers.subscription, subscription.id);
    assert.equal(JSON.parse(error.body).errorCode, 'FORBIDDEN');
  }
  const sends = [
    ['/app/message.send', { conversationId, text: 'let me in' }],
    ['/app/typing.start', { conversationId }],
    ['/app/message.read', { conversationId, seq: 1 }],
  ];
  for (const [destination, body] of sends) {
    c.sendRefused(destination, JSON.stringify(body));
    assert.equal((await inbox.take('refusal')).json.errorCode, 'FORBIDDEN');
  }
  assert.equal((await rest('GET', `/api/messages?conversationId=${conversationId}`, { token: carol.token })).status, 403);
  assert.equal((await a.say(conversationId, 'among us')).seq, '1');
  assert.equal(c.client.connected, true);
});

test('a position beyond the server\'s is a CONFLICT', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const a = await connect(t, alice);
  for (const header of ['last-rev', 'last-seq']) {
    a.client.subscribe(`/topic/conversation.${conversationId}`, () => {}, { [header]: '1000' });
    assert.equal((await a.errors.take('ERROR frame')).headers.message, 'CONFLICT');
  }
});

test('a bad token gets an ERROR and close code 1008', async () => {
  for (const token of ['nonsense', 'a.b.c', '']) {
    const connection = newConnection(token);
    connection.client.activate();
    const error = await connection.errors.take('ERROR frame');
    assert.equal(error.headers.message, 'UNAUTHORIZED');
    assert.equal((await connection.closes.take('close')).code, 1008);
    await connection.close();
  }
});

test('the token may come with the handshake, and is renewed on the connection', async (t) => {
  const alice = await signIn('alice');
  const { WebSocket } = await import('ws');
  const byQuery = newConnection('', {
    connectHeaders: {},
    webSocketFactory: () => new WebSocket(`${process.env.STACKMENTOR_WS_URL}?access_token=${alice.token}`, ['v12.stomp']),
  });
  t.after(() => byQuery.client.deactivate({ force: true }));
  byQuery.client.activate();
  await byQuery.connects.take('CONNECTED frame');
  const { body } = await rest('POST', '/auth/refresh', { body: { refreshToken: alice.refreshToken } });
  await byQuery.send('/app/auth.refresh', { accessToken: body.accessToken });
  const bob = await signIn('bob');
  const { inbox } = await byQuery.subscribe('/user/queue/errors');
  byQuery.sendRefused('/app/auth.refresh', JSON.stringify({ accessToken: bob.token }));
  assert.match((await inbox.take('refusal')).json.errorCode, /^(FORBIDDEN|UNAUTHORIZED)$/);
  assert.equal(byQuery.client.connected, true);
});
