import assert from 'node:assert/strict';
import { test } from 'node:test';
import SockJS from 'sockjs-client';
import { BASE_URL, connect, newGroup, rest, signIn } from './kit.mjs';

const TRANSPORTS = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];
/** JSON within JSON, line ends, what is no ASCII, and more than one response of a streaming transport takes. */
const TEXTS = ['Hello', '"quoted" \\ back\r\nslash\n', 'Ünïcödé: 漢字 🙂 \u2028', ...Array.from({ length: 20 }, () => 'é'.repeat(9_000))];

/** As a user with one of the transports and no other. */
function fallBack(t, who, transport, options = {}) {
  const webSocketFactory = () => new SockJS(`${BASE_URL}/ws`, null, { transports: [transport] });
  return connect(t, who, { webSocketFactory, ...options });
}

for (const transport of TRANSPORTS) {
  test(`over ${transport}: CONNECT, SUBSCRIBE, SEND, RECEIPT and MESSAGE`, { timeout: 60_000 }, async (t) => {
    const [alice, carol] = await Promise.all([signIn('alice'), signIn('carol')]);
    const conversationId = await newGroup(carol, alice);
    const topic = `/topic/conversation.${conversationId}`;
    const [a, c] = await Promise.all([connect(t, alice), fallBack(t, carol, transport)]);
    assert.equal(c.client.webSocket.transport, transport);
    const [atAlice, atCarol] = [await a.subscribe(topic), await c.subscribe(topic)];
    for (const [index, text] of TEXTS.entries()) {
      assert.equal((await c.say(conversationId, text)).seq, String(index + 1));
      for (const { inbox } of [atAlice, atCarol]) {
        const { headers, json } = await inbox.take('message');
        assert.equal(json.text, text);
        assert.equal(headers.seq, String(index + 1));
      }
    }
  });

  test(`over ${transport}: nothing is lost between two connections`, { timeout: 60_000 }, async (t) => {
    const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
    const conversationId = await newGroup(alice, bob);
    const topic = `/topic/conversation.${conversationId}`;
    const [a, b] = await Promise.all([connect(t, alice), fallBack(t, bob, transport)]);
    const { inbox } = await b.subscribe(topic);
    await a.say(conversationId, 'one');
    assert.equal((await inbox.take('message')).json.text, 'one');
    await b.close();
    for (const text of ['two', 'three']) await a.say(conversationId, text);
    const again = await fallBack(t, bob, transport);
    const { inbox: later } = await again.subscribe(topic, { 'last-seq': '1' });
    assert.deepEqual([(await later.take('message')).json.seq, (await later.take('message')).json.seq], [2, 3]);
  });

  test(`over ${transport}: a bad token is refused with ERROR, and the close bears the contract's code`, { timeout: 60_000 }, async () => {
    const socket = new SockJS(`${BASE_URL}/ws`, null, { transports: [transport] });
    const said = [];
    const closed = new Promise((resolve) => { socket.onclose = resolve; });
    socket.onmessage = ({ data }) => said.push(data);
    socket.onopen = () => socket.send('CONNECT\naccept-version:1.2\nhost:x\nAuthorization:Bearer x\n\n\0');
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [1008, 'UNAUTHORIZED']);
    assert.match(said[0], /^ERROR\n/);
  });

  test(`over ${transport}: who is connected is present, and who has left is not`, { timeout: 60_000 }, async (t) => {
    const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
    await newGroup(alice, bob);
    const connection = await fallBack(t, bob, transport);
    const { body } = await rest('GET', `/api/presence?userIds=${bob.id}`, { token: alice.token });
    assert.deepEqual(body.map(({ userId, online }) => [userId, online]), [[bob.id, true]]);
    await connection.close();
  });
}

test('the plain WebSocket is at /ws/websocket, too', { timeout: 30_000 }, async (t) => {
  const connection = await connect(t, await signIn('alice'), { url: `${BASE_URL.replace('http', 'ws')}/ws/websocket` });
  await connection.close();
});
