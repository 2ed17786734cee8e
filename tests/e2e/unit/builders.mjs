/** Values as the server sends them, with everything a test does not name set to something plain. */
import { webcrypto } from 'node:crypto';

// Node 18 has it under this name only.
globalThis.crypto ??= webcrypto;

export const ME = '00000000-0000-7000-8000-00000000000a';
export const BOB = '00000000-0000-7000-8000-00000000000b';
export const CAROL = '00000000-0000-7000-8000-00000000000c';
export const CONVERSATION = '00000000-0000-7000-8000-000000000100';

const NAMES = { [ME]: 'Alice', [BOB]: 'Bob', [CAROL]: 'Carol' };

export function participant(userId, { read = 0, delivered = read } = {}) {
  const marks = { lastReadSeq: read, lastDeliveredSeq: delivered };
  return { userId, name: NAMES[userId], role: 'MEMBER', joinedAt: '2026-01-01T00:00:00.000Z', ...marks };
}

export function remoteConversation(fields = {}) {
  return {
    id: CONVERSATION,
    type: 'DIRECT',
    name: null,
    avatarUrl: null,
    participants: [participant(ME), participant(BOB)],
    lastSeq: 0,
    rev: 1,
    lastMessage: null,
    unreadCount: 0,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    ...fields,
  };
}

/** Message number `seq`, of rev `seq + 1` unless said otherwise, one second after the one before. */
export function message(seq, fields = {}) {
  const senderId = fields.senderId ?? BOB;
  return {
    id: `00000000-0000-7000-8001-${String(seq).padStart(12, '0')}`,
    conversationId: CONVERSATION,
    seq,
    rev: seq + 1,
    senderId,
    senderName: NAMES[senderId],
    text: `text ${seq}`,
    attachmentUrls: [],
    timestamp: new Date(Date.UTC(2026, 0, 2, 12, 0, seq)).toISOString(),
    isRead: false,
    clientMessageId: null,
    replyTo: null,
    editedAt: null,
    deletedAt: null,
    reactions: [],
    ...fields,
  };
}

/** Messages `from` to `to`, newest first, as a page of history has them. */
export function pageOf(from, to) {
  const content = [];
  for (let seq = to; seq >= from; seq -= 1) content.push(message(seq));
  return content;
}

export function received(live, { rev = live.rev, truncated = false } = {}) {
  return { type: 'message/received', rev, truncated, message: live };
}

/** localStorage's interface over a Map. */
export class MemoryStorage {
  #map = new Map();
  get length() {
    return this.#map.size;
  }
  key(index) {
    return [...this.#map.keys()][index];
  }
  getItem(key) {
    return this.#map.get(key) ?? null;
  }
  setItem(key, value) {
    this.#map.set(key, value);
  }
  removeItem(key) {
    this.#map.delete(key);
  }
}

/**
 * Replace the global timers until the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @returns {(ms: number) => void} move the time on and run what became due
 */
export function fakeTimers(t) {
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Set();
  let now = 0;
  globalThis.setTimeout = (callback, ms) => {
    const timer = { at: now + ms, callback };
    timers.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => timers.delete(timer);
  t.after(() => Object.assign(globalThis, { setTimeout, clearTimeout }));
  return (ms) => {
    now += ms;
    for (const timer of [...timers].filter(({ at }) => at <= now)) {
      timers.delete(timer);
      timer.callback();
    }
  };
}

/** A pseudo-random generator, so that a failing run can be repeated (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}
