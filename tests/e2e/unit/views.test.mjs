import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPage, expectPage, fromServer } from '../../../src/http/chathttp/static/js/chat/conversation.js';
import { initialState, reduce } from '../../../src/http/chathttp/static/js/chat/chat-store.js';
import * as selectors from '../../../src/http/chathttp/static/js/chat/selectors.js';
import { timeline } from '../../../src/http/chathttp/static/js/chat/timeline.js';
import { LIVE_CONVERSATIONS, resumeHeaders, wantedTopics } from '../../../src/http/chathttp/static/js/chat/topics.js';
import { dayOf, shortTime, splitLinks } from '../../../src/http/chathttp/static/js/views/format.js';
import { BOB, CAROL, CONVERSATION, ME, message, participant, remoteConversation } from './builders.mjs';

const dayName = (date) => date.toISOString().slice(0, 10);

function conversationWith(messages, fields = {}) {
  const lastSeq = messages.at(-1)?.seq ?? 0;
  const known = expectPage(fromServer(remoteConversation({ lastSeq, ...fields })), 'r');
  return applyPage(known, { request: 'r', content: messages, size: 50 });
}

function rowsOf(conversation, outgoing = [], unreadFrom = null) {
  return timeline(conversation, outgoing, { myId: ME, unreadFrom, dayOf: dayName });
}

const shape = (rows) => rows.map(({ kind, label, seq, item }) => label ?? (kind === 'message' ? (seq ?? item.text) : kind));

test('each day begins with its name, and unread messages below a line', () => {
  const next = '2026-01-03T08:00:00.000Z';
  const conversation = conversationWith([message(1), message(2), message(3, { timestamp: next }), message(4, { timestamp: next })]);
  assert.deepEqual(shape(rowsOf(conversation, [], 4)), ['2026-01-02', 1, 2, '2026-01-03', 3, 'unread', 4]);
});

test('unsent messages stand below, and one that came back only once', () => {
  const item = (text, fields) => ({
    clientMessageId: text,
    conversationId: CONVERSATION,
    text,
    createdAt: '2026-01-02T12:30:00.000Z',
    status: 'pending',
    seq: null,
    ...fields,
  });
  const conversation = conversationWith([message(1), message(2, { senderId: ME, clientMessageId: 'sent' })]);
  const rows = rowsOf(conversation, [item('sent', { status: 'sent', seq: 2 }), item('next', { status: 'sending' })]);
  assert.deepEqual(shape(rows), ['2026-01-02', 1, 2, 'next']);
  assert.deepEqual(rows.slice(2).map(({ status }) => status), ['sent', 'pending']);
});

test('a message keeps its key when it becomes sent', () => {
  const item = { clientMessageId: 'x', text: 'x', createdAt: '2026-01-02T12:30:00.000Z', status: 'pending', seq: null };
  const before = rowsOf(conversationWith([message(1)]), [item]).at(-1).key;
  const after = rowsOf(conversationWith([message(1), message(2, { senderId: ME, clientMessageId: 'x' })])).at(-1).key;
  assert.equal(before, after);
});

test('a clock that is behind puts no unsent message into an earlier day', () => {
  const item = { clientMessageId: 'x', text: 'x', createdAt: '2025-12-31T00:00:00.000Z', status: 'pending', seq: null };
  assert.deepEqual(shape(rowsOf(conversationWith([message(1)]), [item])), ['2026-01-02', 1, 'x']);
});

test('keys are unique, also when two senders chose the same clientMessageId', () => {
  const same = { clientMessageId: 'same' };
  const rows = rowsOf(conversationWith([message(1, same), message(2, { senderId: CAROL, ...same }), message(3, { senderId: ME, ...same })]));
  assert.equal(new Set(rows.map(({ key }) => key)).size, rows.length);
});

test('names stand in groups only, at the start of a run', () => {
  const group = conversationWith([message(1), message(2), message(3, { senderId: CAROL })], { type: 'GROUP', name: 'Trip' });
  const rows = rowsOf(group).filter(({ kind }) => kind === 'message');
  assert.deepEqual(rows.map(({ senderName, startsRun }) => startsRun && senderName), ['Bob', false, 'Carol']);
  assert.equal(rowsOf(conversationWith([message(1)])).at(-1).senderName, null);
});

test('a message is delivered and read when it is so for everybody', () => {
  const own = message(5, { senderId: ME });
  const mark = (...rest) => selectors.markOf(fromServer(remoteConversation({ participants: [participant(ME, { read: 5 }), ...rest] })), own);
  assert.equal(mark(participant(BOB, { delivered: 4 })), 'sent');
  assert.equal(mark(participant(BOB, { delivered: 5 })), 'delivered');
  assert.equal(mark(participant(BOB, { read: 5 }), participant(CAROL, { delivered: 9 })), 'delivered');
  assert.equal(mark(participant(BOB, { read: 5 }), participant(CAROL, { read: 6 })), 'read');
  assert.equal(mark(), 'sent');
});

test('conversations are sorted by their last message, else their creation', () => {
  const conversation = (id, fields) => ({ type: 'conversation/loaded', conversation: remoteConversation({ id, ...fields }) });
  const state = [
    conversation('a', { createdAt: '2026-01-05T00:00:00.000Z' }),
    conversation('b', { lastMessage: message(1, { timestamp: '2026-01-07T00:00:00.000Z' }) }),
    conversation('c', { lastMessage: message(1, { timestamp: '2026-01-06T00:00:00.000Z' }) }),
  ].reduce(reduce, initialState({ id: ME, name: 'Alice' }));
  assert.deepEqual(selectors.sortedConversations(state).map(({ id }) => id), ['b', 'c', 'a']);
});

test('a preview says who wrote, and nothing of a deleted message', () => {
  const preview = (lastMessage, type = 'DIRECT') => selectors.previewText(fromServer(remoteConversation({ type, lastMessage })), ME);
  assert.equal(preview(null), 'No messages yet');
  assert.equal(preview(message(1)), 'text 1');
  assert.equal(preview(message(1), 'GROUP'), 'Bob: text 1');
  assert.equal(preview(message(1, { senderId: ME })), 'You: text 1');
  assert.equal(preview(message(1, { text: '', deletedAt: '2026-01-02T12:30:00.000Z' })), 'Message deleted');
});

test('typing names the others, never oneself', () => {
  const members = [participant(ME), participant(BOB), participant(CAROL)];
  const text = (...typing) => selectors.typingText({ ...fromServer(remoteConversation({ participants: members })), typing }, ME);
  assert.equal(text(ME), '');
  assert.equal(text(ME, BOB), 'Bob is typing…');
  assert.equal(text(BOB, CAROL), 'Bob and Carol are typing…');
});

test('the latest conversations are followed live, and the open one whatever its place, within the limit of a connection', () => {
  let state = initialState({ id: ME, name: 'Alice' });
  for (let number = 10; number < 60; number += 1) {
    const conversation = remoteConversation({ id: `c${number}`, createdAt: `2026-01-01T00:00:${number}.000Z` });
    state = reduce(state, { type: 'conversation/loaded', conversation });
  }
  state = reduce(state, { type: 'conversation/opened', conversationId: 'c10' });
  const topics = wantedTopics(state);
  const followed = topics.filter(({ kind }) => kind === 'message').map(({ conversationId }) => conversationId);
  assert.equal(followed.length, LIVE_CONVERSATIONS + 1);
  assert.ok(followed.includes('c59') && followed.includes('c10') && !followed.includes('c11'));
  assert.deepEqual(topics.filter(({ kind }) => kind === 'typing').map(({ destination }) => destination), ['/topic/conversation.c10.typing']);
  assert.ok(topics.length <= 100);
});

test('a subscription resumes after the copy, or fetches what was never delivered', () => {
  const marks = (delivered) => [participant(ME, { read: 2, delivered }), participant(BOB)];
  const known = (delivered) => fromServer(remoteConversation({ lastSeq: 5, rev: 9, participants: marks(delivered) }));
  assert.deepEqual(resumeHeaders(known(5), ME), { 'last-rev': '9' });
  assert.deepEqual(resumeHeaders(known(3), ME), { 'last-seq': '3' });
  assert.deepEqual(resumeHeaders({ ...known(3), loaded: true }, ME), { 'last-rev': '9' });
  assert.deepEqual(resumeHeaders({ ...known(3), lastSeq: 5000 }, ME), { 'last-rev': '9' });
});

test('links are http addresses only, without the punctuation after them', () => {
  assert.deepEqual(splitLinks('see https://a.example/x?y=1. And (http://b.example)'), [
    'see ',
    { href: 'https://a.example/x?y=1' },
    '. And (',
    { href: 'http://b.example' },
    ')',
  ]);
  assert.deepEqual(splitLinks('javascript:alert(1) <img src=x onerror=alert(1)>'), ['javascript:alert(1) <img src=x onerror=alert(1)>']);
  assert.deepEqual(splitLinks(''), []);
});

test('days are named from the reader\'s midnight', () => {
  const now = new Date(2026, 2, 29, 0, 30);
  assert.equal(dayOf(new Date(2026, 2, 29, 0, 1), now), 'Today');
  assert.equal(dayOf(new Date(2026, 2, 28, 23, 59), now), 'Yesterday');
  assert.match(dayOf(new Date(2026, 2, 27, 23, 59), now), /2026/);
  assert.match(shortTime(new Date(2026, 2, 27, 23, 59), now), /^[^\d]+$/);
});
