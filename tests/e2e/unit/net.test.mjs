import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadMarker } from '../../../src/http/chathttp/static/js/chat/read-marker.js';
import { TypingNotifier } from '../../../src/http/chathttp/static/js/chat/typing-notifier.js';
import { Api, nextLink } from '../../../src/http/chathttp/static/js/net/api.js';
import { Backoff, backoffDelay } from '../../../src/http/chathttp/static/js/net/backoff.js';
import { ChatSocket } from '../../../src/http/chathttp/static/js/net/socket.js';
import { newId, withTabLock } from '../../../src/http/chathttp/static/js/net/tab-lock.js';
import { MemoryStorage, fakeTimers } from './builders.mjs';

test('the back-off doubles to half a minute, spread over the whole range', () => {
  assert.equal(backoffDelay(0, 0, () => 0), 250);
  assert.equal(backoffDelay(0, 0, () => 1), 500);
  assert.equal(backoffDelay(3, 0, () => 1), 4_000);
  assert.equal(backoffDelay(3, 0, () => 0), 250);
  assert.equal(backoffDelay(50, 0, () => 1), 30_000);
});

test('who was asked to wait does so, and not all come back together', () => {
  assert.equal(backoffDelay(0, 4_000, () => 0), 4_250);
  assert.equal(backoffDelay(0, 4_000, () => 1), 6_500);
});

/** An API whose server gives these answers, one a request; the requests; and a way to let time pass, which tells how many there are. */
function apiWith(t, answers) {
  const { fetch } = globalThis;
  const advance = fakeTimers(t);
  const requests = [];
  globalThis.fetch = async (path, { method }) => {
    requests.push(`${method} ${path}`);
    const { status, body = {}, headers = {} } = answers.shift();
    if (status === 0) throw new TypeError('fetch failed');
    return new Response(JSON.stringify(body), { status, headers });
  };
  t.after(() => Object.assign(globalThis, { fetch }));
  const later = async (ms) => {
    await new Promise((resolve) => setImmediate(resolve));
    advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
    return requests.length;
  };
  return { api: new Api({ accessToken: async () => 'token' }), requests, later };
}

test('a GET that no server took is repeated, not before the time that Retry-After names', async (t) => {
  const me = { id: 'me' };
  const { api, later } = apiWith(t, [
    { status: 0 },
    { status: 503, headers: { 'Retry-After': '7' } },
    { status: 502 },
    { status: 200, body: me },
  ]);
  const reading = api.me();
  assert.equal(await later(0), 1);
  assert.equal(await later(500), 2);
  assert.equal(await later(7_000), 2);
  assert.equal(await later(4_500), 3);
  assert.equal(await later(2_000), 4);
  assert.deepEqual(await reading, me);
});

test('a GET is given up after a while, and at once when the answer would be the same', async (t) => {
  const { api, later, requests } = apiWith(t, [...Array(4).fill({ status: 503 }), { status: 403, body: { errorCode: 'FORBIDDEN' } }]);
  const failing = assert.rejects(api.me(), { status: 503, errorCode: 'INTERNAL_ERROR' });
  for (let repeat = 0; repeat < 5; repeat += 1) await later(30_000);
  await failing;
  assert.equal(requests.length, 4);
  await assert.rejects(api.me(), { errorCode: 'FORBIDDEN' });
  assert.equal(requests.length, 5);
});

test('what changes something is never repeated: its outcome is unknown', async (t) => {
  const { api, later, requests } = apiWith(t, [{ status: 0 }, { status: 503, headers: { 'Retry-After': '1' } }]);
  await assert.rejects(api.createConversation({ type: 'DIRECT', participantIds: [] }), { errorCode: 'NETWORK' });
  await assert.rejects(api.editMessage('id', 'text'), { status: 503, retryAfter: 1_000 });
  await later(60_000);
  assert.equal(requests.length, 2);
});

/** A socket that is connected for `lasted` ms and closed with the code, `times` times: the waits before the next attempt, ms. */
async function waitsAfter(t, code, lasted, times) {
  const { now } = Date;
  const { random } = Math;
  const advance = fakeTimers(t);
  let time = 1_000_000;
  Object.assign(Date, { now: () => time });
  Object.assign(Math, { random: () => 1 });
  t.after(() => {
    Object.assign(Date, { now });
    Object.assign(Math, { random });
  });
  const ignore = () => {};
  const session = { accessToken: async () => 'token' };
  const socket = new ChatSocket({ url: 'ws://nowhere/ws', session, onStatus: ignore, onSubscriptionRefused: ignore, onReceipt: ignore });
  socket.attempted = true;
  const waits = [];
  for (let round = 0; round < times; round += 1) {
    socket.client.onConnect();
    time += lasted;
    socket.client.onWebSocketClose({ code });
    const prepared = socket.client.beforeConnect();
    waits.push(socket.backoff.until - time);
    time += waits.at(-1);
    advance(waits.at(-1));
    await prepared;
  }
  return waits;
}

test('a server that drains is left for the next one at once, after a connection that lasted', async (t) => {
  assert.deepEqual(await waitsAfter(t, 1012, 60_000, 3), [500, 500, 500]);
});

test('connections that end soon after they were made are made ever more seldom', async (t) => {
  assert.deepEqual(await waitsAfter(t, 1012, 1_000, 4), [500, 1_000, 2_000, 4_000]);
});

test('a server that is overloaded is given a rest', async (t) => {
  assert.deepEqual(await waitsAfter(t, 1013, 60_000, 2), [3_500, 3_500]);
});

test('a wait can be cut short', { timeout: 200 }, async () => {
  const backoff = new Backoff();
  const waited = backoff.wait();
  backoff.skip();
  await waited;
});

test('the next page is the target of rel="next"', () => {
  assert.equal(nextLink('</api/conversations?limit=50&before=a%2Cb>; rel="next"'), '/api/conversations?limit=50&before=a%2Cb');
  assert.equal(nextLink('</a>; rel="prev", </b>; rel="next"'), '/b');
  assert.equal(nextLink('</a>; rel="prev"'), null);
  assert.equal(nextLink(null), null);
});

test('ids are random UUIDs of version 4', () => {
  const ids = new Set(Array.from({ length: 1000 }, newId));
  assert.equal(ids.size, 1000);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('typing starts with the first key, goes on every three seconds, and stops when it ends', (t) => {
  const advance = fakeTimers(t);
  const sent = [];
  let now = 10_000;
  const typing = new TypingNotifier((destination, { conversationId }) => sent.push(`${destination} ${conversationId}`), { now: () => now });
  const key = (at, conversation = 'a') => {
    advance(at - now);
    now = at;
    typing.typed(conversation);
  };
  key(10_000);
  key(10_500);
  key(12_900);
  assert.deepEqual(sent, ['/app/typing.start a']);
  key(13_000);
  assert.deepEqual(sent.splice(0), ['/app/typing.start a', '/app/typing.start a']);
  key(13_100, 'b');
  assert.deepEqual(sent.splice(0), ['/app/typing.stop a'], 'a start within a second of the last would be dropped');
  key(14_000, 'b');
  assert.deepEqual(sent.splice(0), ['/app/typing.start b']);
  advance(4_000);
  assert.deepEqual(sent.splice(0), ['/app/typing.stop b']);
  typing.stopped();
  assert.deepEqual(sent, []);
});

test('a sent message ends typing without a word', () => {
  const sent = [];
  const typing = new TypingNotifier((destination) => sent.push(destination), { now: () => 10_000 });
  typing.typed('a');
  typing.sent();
  typing.stopped();
  assert.deepEqual(sent, ['/app/typing.start']);
});

test('read marks go out at once, then at most once a second with the latest, and never back', (t) => {
  const advance = fakeTimers(t);
  const sent = [];
  const reads = new ReadMarker((_, { conversationId, seq }) => sent.push([conversationId, seq]));
  reads.read('a', 1);
  reads.read('a', 2);
  reads.read('a', 5);
  reads.read('a', 3);
  assert.deepEqual(sent, [['a', 1]]);
  advance(1_000);
  assert.deepEqual(sent, [['a', 1], ['a', 5]]);
  advance(5_000);
  assert.equal(sent.length, 2);
});

test('a read mark that was not confirmed goes out again after a reconnect', (t) => {
  const advance = fakeTimers(t);
  let connected = false;
  const sent = [];
  const reads = new ReadMarker((_, { conversationId, seq }) => {
    if (connected) sent.push([conversationId, seq]);
    return connected;
  });
  reads.read('a', 4);
  reads.read('b', 2);
  connected = true;
  reads.reconnected();
  assert.deepEqual(sent.splice(0), [['a', 4], ['b', 2]]);
  reads.confirmed('a', 4);
  reads.confirmed('b', 1);
  advance(10_000);
  reads.reconnected();
  assert.deepEqual(sent, [['b', 2]]);
});

/** A browser outside a secure context: no Web Locks, one localStorage. */
function withoutWebLocks(t) {
  const before = ['navigator', 'localStorage'].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis, 'localStorage', { value: new MemoryStorage(), configurable: true });
  t.after(() => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else delete globalThis[name];
    }
  });
}

test('without Web Locks a lease keeps the tabs apart, and is free again after a failure', async (t) => {
  withoutWebLocks(t);
  let inside = 0;
  let runs = 0;
  const work = async () => {
    inside += 1;
    assert.equal(inside, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside -= 1;
    runs += 1;
    if (runs === 1) throw new Error('of the first');
    return runs;
  };
  const results = await Promise.allSettled([1, 2, 3, 4].map(() => withTabLock('session', work)));
  assert.deepEqual(results.map(({ status, value }) => value ?? status).sort(), [2, 3, 4, 'rejected']);
  assert.equal(localStorage.length, 0);
});

test('the lease of a tab that was closed runs out', async (t) => {
  withoutWebLocks(t);
  localStorage.setItem('stackmentor.lease.session', JSON.stringify({ owner: 'gone', until: Date.now() + 200 }));
  const started = Date.now();
  await withTabLock('session', async () => {});
  assert.ok(Date.now() - started >= 200);
});
