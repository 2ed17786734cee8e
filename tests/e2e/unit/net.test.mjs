import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadMarker } from '../../../src/http/chathttp/static/js/chat/read-marker.js';
import { TypingNotifier } from '../../../src/http/chathttp/static/js/chat/typing-notifier.js';
import { nextLink } from '../../../src/http/chathttp/static/js/net/api.js';
import { Backoff, backoffDelay } from '../../../src/http/chathttp/static/js/net/backoff.js';
import { newId, withTabLock } from '../../../src/http/chathttp/static/js/net/tab-lock.js';
import { MemoryStorage, fakeTimers } from './builders.mjs';

test('the back-off doubles to half a minute, spread over the whole range', () => {
  assert.equal(backoffDelay(0, () => 0), 250);
  assert.equal(backoffDelay(0, () => 1), 500);
  assert.equal(backoffDelay(3, () => 1), 4_000);
  assert.equal(backoffDelay(3, () => 0), 250);
  assert.equal(backoffDelay(50, () => 1), 30_000);
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
