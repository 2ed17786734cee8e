import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, initialState, reduce } from '../../../src/http/chathttp/static/js/chat/chat-store.js';
import { unreadCount } from '../../../src/http/chathttp/static/js/chat/selectors.js';
import { BOB, CONVERSATION, ME, message, pageOf, participant, received, remoteConversation, seeded } from './builders.mjs';

const ALICE = { id: ME, name: 'Alice' };

function after(...actions) {
  return actions.reduce(reduce, initialState(ALICE));
}

const listed = (conversation, nextPage = null) => ({ type: 'list/loaded', conversations: [conversation], nextPage, catchesUp: true });
const requested = (request) => ({ type: 'page/requested', conversationId: CONVERSATION, request });
const loaded = (request, content, size = 50) => ({ type: 'page/loaded', conversationId: CONVERSATION, request, content, size });
const seqs = (state) => state.conversations[CONVERSATION].messages.map(({ seq }) => seq);
const conversationOf = (state) => state.conversations[CONVERSATION];

test('a page and the live messages after it make one run in seq order', () => {
  const state = after(
    listed(remoteConversation({ lastSeq: 3, rev: 4 })),
    requested('r'),
    loaded('r', pageOf(1, 3)),
    received(message(4)),
    received(message(5)),
  );
  assert.deepEqual(seqs(state), [1, 2, 3, 4, 5]);
  assert.equal(conversationOf(state).rev, 6);
});

test('a live message that comes while the page is on its way is not lost, nor shown twice', () => {
  const state = after(
    listed(remoteConversation({ lastSeq: 3, rev: 4 })),
    requested('r'),
    received(message(4)),
    received(message(5)),
    loaded('r', pageOf(1, 4)),
  );
  assert.deepEqual(seqs(state), [1, 2, 3, 4, 5]);
});

test('a message that leaves a gap unloads the run, and a late answer for it is ignored', () => {
  const state = after(
    listed(remoteConversation({ lastSeq: 60, rev: 61 })),
    requested('r'),
    loaded('r', pageOf(11, 60)),
    requested('older'),
    received(message(63)),
    loaded('older', pageOf(1, 10)),
  );
  assert.equal(conversationOf(state).loaded, false);
  assert.deepEqual(seqs(state), []);
  assert.equal(conversationOf(state).lastSeq, 63);
});

test('a truncated replay unloads the run', () => {
  const state = after(
    listed(remoteConversation({ lastSeq: 3, rev: 4 })),
    requested('r'),
    loaded('r', pageOf(1, 3)),
    received(message(4), { truncated: true }),
  );
  assert.equal(conversationOf(state).loaded, false);
});

test('an edit replaces the message, an older form of it does not', () => {
  const edited = message(2, { rev: 9, text: 'edited', editedAt: '2026-01-02T13:00:00.000Z' });
  const state = after(
    listed(remoteConversation({ lastSeq: 3, rev: 4 })),
    requested('r'),
    loaded('r', pageOf(1, 3)),
    received(edited),
    received(message(2), { rev: 3 }),
  );
  assert.equal(conversationOf(state).messages[1].text, 'edited');
  assert.equal(conversationOf(state).rev, 9);
});

test('a change of a message older than the run is left to its page', () => {
  const state = after(
    listed(remoteConversation({ lastSeq: 60, rev: 61 })),
    requested('r'),
    loaded('r', pageOf(11, 60)),
    received(message(3, { rev: 70, text: 'edited' })),
  );
  assert.equal(seqs(state)[0], 11);
  assert.equal(conversationOf(state).rev, 70);
});

test('older pages join at the front until one is short', () => {
  const full = after(
    listed(remoteConversation({ lastSeq: 120, rev: 121 })),
    requested('a'),
    loaded('a', pageOf(71, 120)),
    requested('b'),
    loaded('b', pageOf(21, 70)),
  );
  assert.equal(conversationOf(full).complete, false);
  const state = [requested('c'), loaded('c', pageOf(1, 20))].reduce(reduce, full);
  assert.deepEqual(seqs(state), Array.from({ length: 120 }, (_, index) => index + 1));
  assert.equal(conversationOf(state).complete, true);
});

test('a page that did not come can be asked for again', () => {
  const missed = { type: 'page/missed', conversationId: CONVERSATION, request: 'r' };
  const state = after(listed(remoteConversation({ lastSeq: 3, rev: 4 })), requested('r'), missed);
  assert.equal(conversationOf(state).loadFailed, true);
  assert.equal(conversationOf(reduce(state, requested('s'))).loadFailed, false);
});

test('the unread count rises with what others send and falls with the read mark, which never moves back', () => {
  const base = remoteConversation({ lastSeq: 5, rev: 6, participants: [participant(ME, { read: 3 }), participant(BOB)] });
  const state = after(listed(base), received(message(6)));
  assert.equal(unreadCount(conversationOf(state), ME), 3);
  const marks = (lastReadSeq) => ({
    type: 'marks/received',
    marks: { conversationId: CONVERSATION, userId: ME, lastReadSeq, lastDeliveredSeq: lastReadSeq },
  });
  const read = reduce(state, marks(6));
  assert.equal(unreadCount(conversationOf(read), ME), 0);
  assert.equal(unreadCount(conversationOf(reduce(read, marks(4))), ME), 0);
});

test('sending moves the own marks to the message', () => {
  const state = after(listed(remoteConversation()), received(message(1, { senderId: ME })));
  assert.equal(unreadCount(conversationOf(state), ME), 0);
});

test('an older reading of a conversation takes nothing back', () => {
  const newer = remoteConversation({ lastSeq: 9, rev: 20, name: 'new', participants: [participant(ME, { read: 9 }), participant(BOB)] });
  const older = remoteConversation({ lastSeq: 7, rev: 15, name: 'old', participants: [participant(ME, { read: 2 }), participant(BOB, { read: 8 })] });
  const conversation = conversationOf(after(listed(newer), { type: 'conversation/loaded', conversation: older }));
  assert.equal(conversation.name, 'new');
  assert.equal(conversation.lastSeq, 9);
  assert.deepEqual(conversation.participants.map((p) => p.lastReadSeq), [9, 8]);
});

test('re-reading the list does not move the position of a loaded copy past what it has', () => {
  const state = after(
    listed(remoteConversation({ lastSeq: 3, rev: 4 })),
    requested('r'),
    loaded('r', pageOf(1, 3)),
    listed(remoteConversation({ lastSeq: 8, rev: 9 })),
  );
  assert.equal(conversationOf(state).rev, 4);
  assert.equal(conversationOf(state).lastSeq, 8);
});

test('catching up with the list keeps the place to which the user has paged', () => {
  const page = (before) => `/api/conversations?before=${before}`;
  const further = { type: 'list/loaded', conversations: [], nextPage: page('b'), catchesUp: false };
  const state = after(listed(remoteConversation(), page('a')), further, listed(remoteConversation(), page('a')));
  assert.equal(state.nextPage, page('b'));
  assert.equal(reduce(state, { ...further, nextPage: null }).nextPage, null);
});

test('opening remembers where the unread messages began, and an answer takes the line away', () => {
  const base = remoteConversation({ lastSeq: 5, rev: 6, participants: [participant(ME, { read: 3 }), participant(BOB)] });
  const opened = after(listed(base), { type: 'conversation/opened', conversationId: CONVERSATION });
  assert.equal(opened.unreadFrom, 4);
  assert.equal(reduce(opened, received(message(6))).unreadFrom, 4);
  assert.equal(reduce(opened, received(message(6, { senderId: ME }))).unreadFrom, null);
});

test('a removed conversation is closed, and frames that were under way change nothing', () => {
  const open = after(listed(remoteConversation()), { type: 'conversation/opened', conversationId: CONVERSATION });
  const state = reduce(open, { type: 'conversation/removed', conversationId: CONVERSATION });
  assert.equal(state.openId, null);
  assert.equal(reduce(state, received(message(1))), state);
});

test('who types is forgotten with his message and with the connection', () => {
  const typing = { type: 'typing/received', conversationId: CONVERSATION, userId: BOB, isTyping: true };
  const state = after(listed(remoteConversation()), { type: 'connection/changed', connection: 'online' }, typing);
  assert.deepEqual(conversationOf(state).typing, [BOB]);
  assert.deepEqual(conversationOf(reduce(state, received(message(1)))).typing, []);
  const offline = reduce(state, { type: 'connection/changed', connection: 'offline' });
  assert.deepEqual(conversationOf(offline).typing, []);
});

test('after a conflict nothing of the old counts is left', () => {
  const before = after(listed(remoteConversation({ lastSeq: 9, rev: 20 })), requested('r'), loaded('r', pageOf(1, 9)));
  const state = reduce(before, { type: 'conversation/restarted', conversation: remoteConversation({ lastSeq: 2, rev: 3 }) });
  const { loaded: isLoaded, lastSeq, rev, metaRev } = conversationOf(state);
  assert.deepEqual({ isLoaded, lastSeq, rev, metaRev }, { isLoaded: false, lastSeq: 2, rev: 3, metaRev: 3 });
});

test('an unknown action is an error', () => {
  assert.throws(() => reduce(initialState(ALICE), { type: 'nonsense' }), TypeError);
});

test('any mixture of pages, replays and live frames ends as the server has it', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const { state, history } = mixture(random);
    const { messages } = conversationOf(state);
    const first = messages[0].seq;
    assert.deepEqual(messages, history.slice(first - 1), `seed ${seed}`);
  }
});

/** A server that sends and edits, and a client that loads, loses its connection and resumes, at random. */
function mixture(random) {
  const history = [];
  const events = []; // {rev, message}
  let rev = 1;
  const change = () => {
    rev += 1;
    if (history.length === 0 || random() < 0.7) {
      const created = message(history.length + 1, { rev });
      history.push(created);
      events.push({ rev, created: true, id: created.seq });
    } else {
      const index = Math.floor(random() * history.length);
      history[index] = { ...history[index], rev, text: `edited at ${rev}` };
      events.push({ rev, created: false, id: index + 1 });
    }
  };
  for (let count = 0; count < 80; count += 1) change();
  let state = after(listed(remoteConversation({ lastSeq: history.length, rev })));
  let position = rev; // events up to here were given to the client's subscription
  let waiting = null;
  const deliver = () => {
    for (const event of events.filter((candidate) => candidate.rev > position)) {
      state = reduce(state, received(history[event.id - 1], { rev: event.rev }));
    }
    position = rev;
  };
  for (let step = 0; step < 60; step += 1) {
    const known = conversationOf(state);
    const dice = random();
    if (dice < 0.4) change();
    else if (dice < 0.6) deliver();
    else if (dice < 0.7) position = known.rev; // a reconnect: the replay starts at the copy's own position
    else if (waiting) {
      state = reduce(state, waiting);
      waiting = null;
    } else if (!known.loading && !known.complete) {
      const before = known.loaded ? known.messages[0].seq : history.length + 1;
      const content = history.slice(Math.max(0, before - 11), before - 1).reverse();
      state = reduce(state, requested(`r${step}`));
      waiting = loaded(`r${step}`, content, 10);
    }
  }
  if (waiting) state = reduce(state, waiting);
  if (!conversationOf(state).loaded) {
    state = [requested('last'), loaded('last', history.slice(-10).reverse(), 10)].reduce(reduce, state);
  }
  deliver();
  return { state, history };
}

test('listeners hear once of all that happened in a turn, and not of nothing', async () => {
  const store = createStore(initialState(ALICE));
  const heard = [];
  const stop = store.subscribe((state) => heard.push(state));
  store.dispatch(listed(remoteConversation()));
  store.dispatch(received(message(1)));
  store.dispatch({ type: 'connection/changed', connection: 'connecting' });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(heard, [store.getState()]);
  stop();
  store.dispatch(received(message(2)));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(heard.length, 1);
});
