import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Versions } from '@stomp/stompjs';
import { WebSocket } from 'ws';
import { WS_URL, connect, newGroup, openWebSocket, signIn } from './kit.mjs';

/** Say something that is hard on framing, and see it come back whole. */
async function echo(t, options, texts) {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const [a, b] = await Promise.all([connect(t, alice, options), connect(t, bob)]);
  const mine = await a.subscribe(`/topic/conversation.${conversationId}`);
  const theirs = await b.subscribe(`/topic/conversation.${conversationId}`);
  for (const [index, text] of texts.entries()) {
    const { seq } = await a.say(conversationId, text);
    assert.equal(seq, String(index + 1));
    assert.equal((await mine.inbox.take('own message')).json.text, text);
    assert.equal((await theirs.inbox.take('message')).json.text, text);
  }
  const disconnected = new Promise((resolve) => {
    a.client.onDisconnect = resolve;
  });
  await a.close();
  assert.equal((await disconnected).command, 'RECEIPT');
}

const TEXTS = ['plain', 'umläut and 漢字 and 🙂', 'a\nb\r\nc', 'y'.repeat(10_000)];

test('frames in binary WebSocket messages', (t) => echo(t, { forceBinaryWSFrames: true }, TEXTS));

test('a frame split over several WebSocket messages, at every place near its end', async (t) => {
  // The frame is a little longer each time, so that the cut falls into the body, before the NUL, and right after it.
  const texts = Array.from({ length: 12 }, (_, index) => 'z'.repeat(590 + index));
  await echo(t, { splitLargeFrames: true, maxWebSocketChunkSize: 64 }, texts);
  await echo(t, { splitLargeFrames: true, maxWebSocketChunkSize: 8 * 1024 }, ['x'.repeat(10_000)]);
});

test('WebSocket messages cut off at the NUL, as React Native sends and receives them', async (t) => {
  class ReactNativeWebSocket extends WebSocket {
    send(data) {
      super.send(typeof data === 'string' ? data.split('\0')[0] : data);
    }

    set onmessage(handler) {
      super.onmessage = (event) => handler({ data: typeof event.data === 'string' ? event.data.split('\0')[0] : event.data });
    }
  }
  await echo(t, { webSocketFactory: () => new ReactNativeWebSocket(WS_URL, ['v12.stomp']), appendMissingNULLonIncoming: true }, TEXTS);
});

test('a body without content-length', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const a = await connect(t, alice);
  const { seq } = await a.send('/app/message.send', { conversationId, text: 'no length' }, { skipContentLengthHeader: true });
  assert.equal(seq, '1');
});

for (const version of ['1.0', '1.1', '1.2']) {
  test(`STOMP ${version}`, async (t) => {
    await echo(t, { stompVersions: new Versions([version]) }, ['by version', 'co:lon \\ back']);
  });
}

test('several frames in one WebSocket message, on a socket without subprotocol', async (t) => {
  const { token } = await signIn('alice');
  const socket = await openWebSocket([]);
  t.after(() => socket.terminate());
  const received = [];
  const answered = new Promise((resolve) => {
    socket.on('message', (data) => {
      received.push(...data.toString().split('\0').map((frame) => frame.trim()).filter(Boolean));
      if (received.length >= 3) resolve();
    });
  });
  const connectFrame = `CONNECT\naccept-version:1.2\nhost:x\nAuthorization:Bearer ${token}\n\n\0`;
  const subscribe = (id) => `SUBSCRIBE\nid:${id}\ndestination:/user/queue/errors\nreceipt:r-${id}\n\n\0`;
  socket.send(`${connectFrame}\n${subscribe('one')}\n\n${subscribe('two')}`);
  await answered;
  assert.match(received[0], /^CONNECTED\n/);
  assert.match(received[1], /^RECEIPT\n[^]*receipt-id:r-one/);
  assert.match(received[2], /^RECEIPT\n[^]*receipt-id:r-two/);
});
