import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox } from '../../../src/http/chathttp/static/js/chat/outbox.js';
import { CONVERSATION, ME, MemoryStorage, message } from './builders.mjs';

const OTHER = '00000000-0000-7000-8000-000000000200';

/** An outbox with a connection that can be cut, a clock that stands, and a record of what went out. */
function setUp({ storage = new MemoryStorage(), connected = true, userId = ME } = {}) {
  const wire = { connected, sent: [], changes: 0 };
  const timers = new Map();
  let now = Date.UTC(2026, 0, 1);
  let ids = storage.length;
  const outbox = new Outbox({
    storage,
    userId,
    transmit: (item) => {
      if (wire.connected) wire.sent.push(item.text);
      return wire.connected;
    },
    onChange: () => {
      wire.changes += 1;
    },
    newId: () => `id-${(ids += 1)}`,
    clock: {
      now: () => now,
      random: () => 1,
      setTimeout: (callback, ms) => {
        const timer = { at: now + ms, callback };
        timers.set(timer, timer);
        return timer;
      },
      clearTimeout: (timer) => timers.delete(timer),
    },
  });
  function advance(ms) {
    now += ms;
    for (const timer of [...timers.values()].filter(({ at }) => at <= now)) {
      timers.delete(timer);
      timer.callback();
    }
  }
  return { outbox, wire, storage, advance, timers };
}

const statuses = (outbox) => outbox.items.map(({ text, status }) => [text, status]);

test('one message of a conversation is under way at a time, in the order typed', () => {
  const { outbox, wire } = setUp();
  const first = outbox.add(CONVERSATION, 'one');
  outbox.add(CONVERSATION, 'two');
  outbox.add(OTHER, 'elsewhere');
  assert.deepEqual(wire.sent, ['one', 'elsewhere']);
  outbox.committed(first.clientMessageId, 1);
  assert.deepEqual(wire.sent, ['one', 'elsewhere', 'two']);
});

test('what was typed without a connection is pending over a reload and goes out in order afterwards', () => {
  const { outbox, storage } = setUp({ connected: false });
  outbox.add(CONVERSATION, 'one');
  outbox.add(CONVERSATION, 'two');
  assert.deepEqual(statuses(outbox), [['one', 'pending'], ['two', 'pending']]);

  const reloaded = setUp({ storage });
  assert.deepEqual(statuses(reloaded.outbox), [['one', 'pending'], ['two', 'pending']]);
  reloaded.outbox.pump();
  reloaded.outbox.committed('id-1', 1);
  reloaded.outbox.committed('id-2', 2);
  assert.deepEqual(reloaded.wire.sent, ['one', 'two']);
  assert.equal(storage.length, 0);
});

test('an unknown outcome is sent again with the same id', () => {
  const { outbox, wire, storage } = setUp();
  outbox.add(CONVERSATION, 'one');
  outbox.disconnected();
  assert.deepEqual(statuses(outbox), [['one', 'pending']]);
  outbox.pump();
  assert.deepEqual(wire.sent, ['one', 'one']);
  assert.equal(JSON.parse(storage.getItem(`stackmentor.outbox.${ME}.id-1`)).clientMessageId, 'id-1');
});

test('a receipt that does not come lets the message go out again', () => {
  const { outbox, wire, advance } = setUp();
  outbox.add(CONVERSATION, 'one');
  advance(19_999);
  assert.deepEqual(wire.sent, ['one']);
  advance(1);
  assert.deepEqual(wire.sent, ['one', 'one']);
});

test('a refusal that passes delays the message and what follows it, longer each time', () => {
  const { outbox, wire, advance } = setUp();
  outbox.add(CONVERSATION, 'one');
  outbox.add(CONVERSATION, 'two');
  outbox.refused('id-1', { errorCode: 'RATE_LIMITED', message: 'slow down' });
  outbox.pump();
  assert.deepEqual(wire.sent, ['one']);
  advance(1_000);
  assert.deepEqual(wire.sent, ['one', 'one']);
  outbox.refused('id-1', { errorCode: 'OVERLOADED', message: 'later' });
  advance(1_999);
  assert.deepEqual(wire.sent, ['one', 'one']);
  advance(1);
  outbox.committed('id-1', 1);
  assert.deepEqual(wire.sent, ['one', 'one', 'one', 'two']);
});

test('a refused message fails with the reason and does not hold up the next; it may be repeated or discarded', () => {
  const { outbox, wire, storage } = setUp();
  outbox.add(CONVERSATION, 'bad');
  outbox.add(CONVERSATION, 'good');
  outbox.refused('id-1', { errorCode: 'FORBIDDEN', message: 'You are no member.' });
  assert.deepEqual(statuses(outbox), [['bad', 'failed'], ['good', 'sending']]);
  assert.equal(setUp({ storage }).outbox.items[0].error, 'You are no member.');
  outbox.committed('id-2', 1);
  outbox.retry('id-1');
  assert.deepEqual(wire.sent, ['bad', 'good', 'bad']);
  outbox.refused('id-1', { errorCode: 'FORBIDDEN', message: 'You are no member.' });
  outbox.discard('id-1');
  assert.deepEqual(statuses(outbox), [['good', 'sent']]);
  assert.equal(storage.length, 0);
});

test('a sent item is kept until its message is there, and remembers its number', () => {
  const { outbox } = setUp();
  outbox.add(CONVERSATION, 'one');
  outbox.committed('id-1', 7);
  assert.equal(outbox.items[0].seq, 7);
  assert.deepEqual(outbox.unsent(), []);
  outbox.arrived(message(7, { senderId: ME, clientMessageId: 'id-1' }));
  assert.deepEqual(outbox.items, []);
});

test('the message itself settles an item whose receipt was lost', () => {
  const { outbox, wire, storage, timers } = setUp();
  outbox.add(CONVERSATION, 'one');
  outbox.add(CONVERSATION, 'two');
  outbox.arrived(message(1, { senderId: ME, clientMessageId: 'id-1' }));
  assert.deepEqual(wire.sent, ['one', 'two']);
  assert.deepEqual(statuses(outbox), [['two', 'sending']]);
  assert.equal(storage.length, 1);
  assert.equal(timers.size, 1);
});

test('another user of the same browser sees nothing of it', () => {
  const { outbox, storage } = setUp({ connected: false });
  outbox.add(CONVERSATION, 'secret');
  assert.deepEqual(setUp({ storage, userId: 'someone-else' }).outbox.items, []);
});

test('signing out removes what any tab has stored', () => {
  const { outbox, storage, timers } = setUp();
  outbox.add(CONVERSATION, 'mine');
  setUp({ storage, connected: false }).outbox.add(CONVERSATION, 'of another tab');
  outbox.clear();
  assert.equal(storage.length, 0);
  assert.equal(timers.size, 0);
});

test('a late refusal of a message that is already sent changes nothing', () => {
  const { outbox } = setUp();
  outbox.add(CONVERSATION, 'one');
  outbox.committed('id-1', 1);
  outbox.refused('id-1', { errorCode: 'FORBIDDEN', message: 'no' });
  assert.deepEqual(statuses(outbox), [['one', 'sent']]);
});
