/**
 * The state of the chat as one immutable value, and the pure reducer that is the only way to change it.
 *
 * State: `{me, connection, conversations: {id: conversation}, listed, nextPage, openId, unreadFrom}`, where `conversation` is as
 * in conversation.js. Actions are plain objects with a `type`; the reducer returns the same state when nothing changed.
 */
import * as conversation from './conversation.js';
import { unreadCount } from './selectors.js';

/** @param {{id: string, name: string}} me the signed-in User */
export function initialState(me) {
  return {
    me,
    connection: 'connecting', // connecting | online | offline | refused
    conversations: {},
    listed: false, // the first page of the list has been read
    nextPage: null, // path of the next page, from the Link header
    openId: null,
    unreadFrom: null, // seq of the first message that was unread when the open conversation was opened
  };
}

/** @returns the state after `action`; throws TypeError on an action it does not know */
export function reduce(state, action) {
  switch (action.type) {
    case 'connection/changed':
      return action.connection === state.connection ? state : forgetTransient({ ...state, connection: action.connection });
    case 'list/loaded':
      return listLoaded(state, action);
    case 'conversation/loaded':
      return upsert(state, action.conversation);
    case 'conversation/restarted':
      return replace(state, action.conversation.id, (known) => conversation.restart(known, action.conversation));
    case 'conversation/removed':
      return removed(state, action.conversationId);
    case 'conversation/opened':
      return opened(state, action.conversationId);
    case 'page/requested':
      return replace(state, action.conversationId, (known) => conversation.expectPage(known, action.request));
    case 'page/loaded':
      return replace(state, action.conversationId, (known) => conversation.applyPage(known, action));
    case 'page/missed':
      return replace(state, action.conversationId, (known) => conversation.missPage(known, action.request));
    case 'message/received':
      return messageReceived(state, action);
    case 'marks/received':
      return replace(state, action.marks.conversationId, (known) => conversation.applyMarks(known, action.marks));
    case 'typing/received':
      return replace(state, action.conversationId, (known) => flag(known, 'typing', action.userId, action.isTyping));
    case 'presence/received':
      return replace(state, action.conversationId, (known) => flag(known, 'online', action.userId, action.online));
    default:
      throw new TypeError(`unknown action ${action.type}`);
  }
}

function replace(state, id, change) {
  const known = state.conversations[id];
  if (!known) return state;
  const next = change(known);
  return next === known ? state : { ...state, conversations: { ...state.conversations, [id]: next } };
}

function upsert(state, remote) {
  const known = state.conversations[remote.id];
  const next = known ? conversation.mergeServer(known, remote) : conversation.fromServer(remote);
  return { ...state, conversations: { ...state.conversations, [remote.id]: next } };
}

/** Who writes has read: the line above what was unread goes with the user's own next message. */
function messageReceived(state, action) {
  const { conversationId, senderId } = action.message;
  const next = replace(state, conversationId, (known) => conversation.applyFrame(known, action));
  const answered = conversationId === state.openId && senderId === state.me.id && state.unreadFrom !== null;
  return answered && action.message.seq > state.unreadFrom ? { ...next, unreadFrom: null } : next;
}

/**
 * A page of the list; conversations that it does not name stay. One that only catches up with what was missed (`catchesUp`) does
 * not move the place to which the user has paged.
 */
function listLoaded(state, { conversations, nextPage, catchesUp }) {
  const next = conversations.reduce(upsert, state);
  return { ...next, listed: true, nextPage: catchesUp && state.listed ? state.nextPage : nextPage };
}

function removed(state, id) {
  if (!state.conversations[id]) return state;
  const { [id]: _, ...conversations } = state.conversations;
  return { ...state, conversations, openId: state.openId === id ? null : state.openId };
}

function opened(state, id) {
  const known = id === null ? undefined : state.conversations[id];
  if (!known) return { ...state, openId: null, unreadFrom: null };
  const unread = unreadCount(known, state.me.id);
  return { ...state, openId: id, unreadFrom: unread > 0 ? known.lastSeq - unread + 1 : null };
}

function flag(known, list, userId, on) {
  if (known[list].includes(userId) === on) return known;
  return { ...known, [list]: on ? [...known[list], userId] : known[list].filter((other) => other !== userId) };
}

/** Who types and who is online is only known while connected; the topics say it again after a reconnect. */
function forgetTransient(state) {
  if (state.connection === 'online') return state;
  const conversations = Object.fromEntries(
    Object.entries(state.conversations).map(([id, known]) => [id, { ...known, typing: [], online: [] }]),
  );
  return { ...state, conversations };
}

/**
 * A store around the reducer: `getState()`, `dispatch(action)`, `subscribe(listener)` → unsubscribe.
 *
 * Listeners are called once for all actions dispatched in one turn of the event loop, after it, so that a burst of frames costs
 * one rendering; not by animation frame, which a hidden tab does not get.
 */
export function createStore(state) {
  const listeners = new Set();
  let scheduled = false;

  function notify() {
    scheduled = false;
    for (const listener of [...listeners]) listener(state);
  }

  return {
    getState: () => state,
    dispatch(action) {
      const next = reduce(state, action);
      if (next === state) return;
      state = next;
      if (scheduled) return;
      scheduled = true;
      setTimeout(notify, 0);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
