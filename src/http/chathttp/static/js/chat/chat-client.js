/**
 * The chat of the signed-in user: joins the REST API, the STOMP connection, the outbox and the store, and carries out what the
 * user does. The views know nothing but this class and the state.
 */
import { ApiError } from '../net/api.js';
import { SignedOut } from '../net/session.js';
import { ChatSocket } from '../net/socket.js';
import { newId } from '../net/tab-lock.js';
import { createStore, initialState } from './chat-store.js';
import { Outbox } from './outbox.js';
import { ReadMarker } from './read-marker.js';
import { unreadCount } from './selectors.js';
import { ERRORS, resumeHeaders, wantedTopics } from './topics.js';
import { TypingNotifier } from './typing-notifier.js';

const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 200;
/** So many pages are loaded to reach a message that was found. */
const MOST_PAGES = 20;
/** A subscription refused for a reason that passes is asked for again after this time, ms. */
const RESUBSCRIBE_MS = 3_000;
const PASSING = new Set(['UNAVAILABLE', 'OVERLOADED', 'RATE_LIMITED', 'INTERNAL_ERROR']);

export class ChatClient {
  #refreshing = new Map();
  #handlers;
  #wish = null;
  #stopListening;

  /**
   * @param {object} options
   * @param {import('../net/session.js').Session} options.session
   * @param {import('../net/api.js').Api} options.api
   * @param {object} options.me the signed-in User
   * @param {string} options.socketUrl
   * @param {() => void} options.onOutboxChange
   */
  constructor({ session, api, me, socketUrl, onOutboxChange }) {
    this.api = api;
    this.me = me;
    this.store = createStore(initialState(me));
    this.socket = new ChatSocket({
      url: socketUrl,
      session,
      onStatus: (status) => this.#connectionChanged(status),
      onSubscriptionRefused: (destination, code) => this.#subscriptionRefused(destination, code),
      onReceipt: (headers) => this.outbox.committed(headers['receipt-id'], Number(headers.seq)),
    });
    this.outbox = new Outbox({
      storage: localStorage,
      userId: me.id,
      newId,
      onChange: onOutboxChange,
      transmit: ({ conversationId, text, clientMessageId, attachmentIds, replyTo }) => {
        const files = attachmentIds?.length > 0 ? { attachmentIds } : {};
        const answered = replyTo ? { replyTo } : {};
        return this.socket.send('/app/message.send', { conversationId, text, clientMessageId, ...files, ...answered }, clientMessageId);
      },
    });
    this.typing = new TypingNotifier((destination, body) => this.socket.send(destination, body));
    this.reads = new ReadMarker((destination, body) => this.socket.send(destination, body));
    this.#handlers = {
      notification: ({ body }) => this.refresh(body.conversationId),
      error: ({ body }) => this.#sendRefused(body),
      message: (frame) => this.#messageReceived(frame),
      read: ({ body }) => this.#marksReceived(body),
      typing: ({ body }) => this.store.dispatch({ type: 'typing/received', ...body }),
      presence: ({ body }) => this.store.dispatch({ type: 'presence/received', ...body }),
    };
  }

  start() {
    this.#stopListening = this.store.subscribe(() => this.#follow());
    this.#follow();
    this.#readList().catch(ignoreUnreachable); // there to be read while the connection is being made, or cannot be
    this.socket.start();
  }

  async stop() {
    this.#stopListening();
    this.reads.stop();
    this.typing.sent();
    await this.socket.stop();
  }

  // What the user does.

  /** Show a conversation, which is fetched if the list has not brought it (a link); null closes. */
  async open(conversationId) {
    this.#wish = conversationId;
    if (conversationId === this.store.getState().openId) return;
    this.typing.stopped();
    if (conversationId !== null) {
      const reading = this.refresh(conversationId);
      if (!this.store.getState().conversations[conversationId]) await reading;
    }
    if (this.#wish === conversationId) this.store.dispatch({ type: 'conversation/opened', conversationId });
  }

  /** @returns {Promise<string>} the id of the conversation with these users, made or found */
  async create({ type, participantIds, name }) {
    const conversation = await this.api.createConversation({ type, participantIds, name });
    this.store.dispatch({ type: 'conversation/loaded', conversation });
    return conversation.id;
  }

  /** @param {{attachmentIds?: string[], replyTo?: string | null}} [more] */
  send(conversationId, text, more) {
    this.typing.sent();
    this.outbox.add(conversationId, text, more);
  }

  /** The user has seen the open conversation up to `seq`. */
  read(conversationId, seq) {
    const conversation = this.store.getState().conversations[conversationId];
    if (!conversation || unreadCount(conversation, this.me.id) === 0) return;
    this.reads.read(conversationId, seq);
    const marks = { conversationId, userId: this.me.id, lastReadSeq: seq, lastDeliveredSeq: seq };
    this.store.dispatch({ type: 'marks/received', marks });
  }

  async loadLatest(conversationId) {
    const conversation = this.store.getState().conversations[conversationId];
    // All that is unread at once, so that the line above the first unread message is on the page.
    const size = Math.min(MAX_PAGE_SIZE, Math.max(PAGE_SIZE, unreadCount(conversation, this.me.id) + 10));
    await this.#loadPage(conversationId, { size });
  }

  async loadOlder(conversationId) {
    const { messages, loading, complete, loaded } = this.store.getState().conversations[conversationId];
    if (!loaded || loading || complete || messages.length === 0) return;
    await this.#loadPage(conversationId, { size: PAGE_SIZE, beforeSeq: messages[0].seq });
  }

  /** Load the open conversation's history down to a message. @returns {Promise<boolean>} whether it is there now */
  async reach(conversationId, seq) {
    for (let pages = 0; pages < MOST_PAGES; ) {
      const { openId, conversations } = this.store.getState();
      const known = conversations[conversationId];
      if (openId === conversationId && known?.loaded && known.messages[0]?.seq <= seq) return true;
      if (this.#wish !== conversationId || !known || known.loadFailed || known.complete) return false;
      if (openId !== conversationId || !known.loaded || known.loading) await this.#nextChange();
      else {
        pages += 1;
        await this.loadOlder(conversationId);
      }
    }
    return false;
  }

  #nextChange() {
    return new Promise((resolve) => {
      const stop = this.store.subscribe(() => {
        stop();
        resolve();
      });
    });
  }

  async loadMoreConversations() {
    const { nextPage } = this.store.getState();
    if (nextPage === null) return;
    const page = await this.api.conversations(nextPage);
    this.store.dispatch({ type: 'list/loaded', ...page, catchesUp: false });
  }

  // What happens.

  /** Read one conversation anew; several wishes while one reading is under way become one more. */
  refresh(conversationId) {
    const running = this.#refreshing.get(conversationId);
    if (running) {
      running.again = true;
      return running.done;
    }
    const entry = { again: false, done: null };
    this.#refreshing.set(conversationId, entry);
    entry.done = this.#read(conversationId, entry).finally(() => this.#refreshing.delete(conversationId));
    return entry.done;
  }

  async #read(conversationId, entry) {
    do {
      entry.again = false;
      try {
        const conversation = await this.api.conversation(conversationId);
        this.store.dispatch({ type: 'conversation/loaded', conversation });
      } catch (error) {
        if (!isRefusal(error)) return void ignoreUnreachable(error);
        this.store.dispatch({ type: 'conversation/removed', conversationId });
      }
    } while (entry.again);
  }

  #connectionChanged(connection) {
    this.store.dispatch({ type: 'connection/changed', connection });
    if (connection !== 'online') {
      this.outbox.disconnected();
      return;
    }
    this.outbox.pump();
    this.reads.reconnected();
    this.#readList().catch(ignoreUnreachable);
    const { openId, conversations } = this.store.getState();
    if (openId !== null && conversations[openId].loadFailed) this.loadLatest(openId);
  }

  /** Notifications are not repeated: after a reconnect the list says what was missed, page by page down to the known part. */
  async #readList() {
    let path = null;
    for (let first = true; first || path !== null; first = false) {
      const { listed, conversations: known } = this.store.getState();
      const page = await this.api.conversations(path);
      this.store.dispatch({ type: 'list/loaded', ...page, catchesUp: true });
      path = listed && page.conversations.every(({ id }) => !known[id]) ? page.nextPage : null;
    }
  }

  /** After every change of the state: the subscriptions it wants, and the messages it shows. */
  #follow() {
    const state = this.store.getState();
    const wanted = new Map();
    for (const { destination, kind, conversationId } of wantedTopics(state)) {
      const headers =
        kind === 'message' ? () => resumeHeaders(this.store.getState().conversations[conversationId], this.me.id) : undefined;
      wanted.set(destination, { onMessage: this.#handlers[kind], headers });
    }
    this.socket.subscribe(wanted);
    const open = state.conversations[state.openId];
    if (open && !open.loaded && !open.loading && !open.loadFailed) this.loadLatest(open.id);
  }

  async #loadPage(conversationId, { size, beforeSeq }) {
    const request = newId();
    this.store.dispatch({ type: 'page/requested', conversationId, request });
    try {
      const content = await this.api.messages(conversationId, { size, beforeSeq });
      for (const message of content) if (message.senderId === this.me.id) this.outbox.arrived(message);
      this.store.dispatch({ type: 'page/loaded', conversationId, request, content, size });
    } catch (error) {
      ignoreUnreachable(error);
      this.store.dispatch({ type: 'page/missed', conversationId, request });
    }
  }

  #messageReceived({ headers, body: message }) {
    if (message.senderId === this.me.id) this.outbox.arrived(message);
    const truncated = headers['history-truncated'] === 'true';
    this.store.dispatch({ type: 'message/received', rev: Number(headers.rev), truncated, message });
  }

  #marksReceived(marks) {
    if (marks.userId === this.me.id) this.reads.confirmed(marks.conversationId, marks.lastReadSeq);
    this.store.dispatch({ type: 'marks/received', marks });
  }

  #sendRefused({ errorCode, message, destination, receipt }) {
    if (destination === '/app/message.send' && receipt) this.outbox.refused(receipt, { errorCode, message });
    else console.warn(`${destination} was refused: ${errorCode} ${message}`);
  }

  #subscriptionRefused(destination, errorCode) {
    if (destination === ERRORS) console.warn(`No refusals will be seen: ${errorCode}`);
    const topic = wantedTopics(this.store.getState()).find((wanted) => wanted.destination === destination);
    if (!topic) return;
    if (PASSING.has(errorCode)) {
      setTimeout(() => this.socket.resubscribe(destination), RESUBSCRIBE_MS * (0.5 + Math.random()));
    } else if (topic.kind === 'message' && errorCode === 'CONFLICT') {
      this.#restart(topic.conversationId, destination).catch(ignoreUnreachable);
    } else if (topic.kind === 'message') {
      this.refresh(topic.conversationId); // removed from it, most likely; the answer says so
    }
  }

  /** The server counts lower than this copy, so it is of another history (a restored database): drop it and load anew. */
  async #restart(conversationId, destination) {
    const conversation = await this.api.conversation(conversationId);
    this.store.dispatch({ type: 'conversation/restarted', conversation });
    this.socket.resubscribe(destination);
  }
}

/** The server says that the conversation is not, or no more, the user's. */
function isRefusal(error) {
  return error instanceof ApiError && (error.status === 403 || error.status === 404);
}

/** What failed for want of a server or a session is repeated after the reconnect, or moot. Anything else is a defect. */
function ignoreUnreachable(error) {
  if (!(error instanceof ApiError) && !(error instanceof SignedOut)) throw error;
  console.warn(error.message);
}
