/**
 * Messages on their way out: kept in storage from the moment they are typed until the server has committed them.
 *
 * Each message bears a `clientMessageId`, so sending it again after an unknown outcome never doubles it. Within a conversation
 * one message is under way at a time, the oldest first: a refusal for the rate or an overload then delays what follows instead
 * of letting it overtake. Items are stored one a key, so tabs of one browser never overwrite each other's; a tab sends what it
 * made and what it found at its start.
 *
 * Item: `{clientMessageId, conversationId, text, attachmentIds, replyTo, createdAt, order, status, seq, attempts, error}`; status is `pending`, `sending`
 * (waits for its receipt), `sent` (waits for its message on the topic, no longer stored; `seq` is known) or `failed` (refused,
 * for the user to repeat or discard).
 */

/** Refusals that pass by themselves. The outcome of the last two is unknown, which the clientMessageId settles. */
const TRANSIENT = new Set(['RATE_LIMITED', 'OVERLOADED', 'UNAVAILABLE', 'UNAUTHORIZED', 'TOKEN_EXPIRED', 'INTERNAL_ERROR']);
/** Without a receipt for this long an item is sent again, ms. */
const RECEIPT_TIMEOUT_MS = 20_000;
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 30_000;

export class Outbox {
  /**
   * @param {object} options
   * @param {Storage} options.storage where items survive a reload
   * @param {string} options.userId whose items; another user's are never touched
   * @param {(item: object) => boolean} options.transmit hand an item to the connection; false when there is none
   * @param {() => void} options.onChange items have changed
   * @param {() => string} options.newId
   * @param {{now?: () => number, setTimeout?: Function, clearTimeout?: Function, random?: () => number}} [options.clock]
   */
  constructor({ storage, userId, transmit, onChange, newId, clock = {} }) {
    this.prefix = `stackmentor.outbox.${userId}.`;
    this.storage = storage;
    this.transmit = transmit;
    this.onChange = onChange;
    this.newId = newId;
    this.now = clock.now ?? (() => Date.now());
    this.setTimeout = clock.setTimeout ?? ((callback, ms) => setTimeout(callback, ms));
    this.clearTimeout = clock.clearTimeout ?? ((timer) => clearTimeout(timer));
    this.random = clock.random ?? Math.random;
    this.timers = new Map();
    this.items = this.#stored();
  }

  #stored() {
    const items = [];
    for (let index = 0; index < this.storage.length; index += 1) {
      const key = this.storage.key(index);
      if (key.startsWith(this.prefix)) items.push(JSON.parse(this.storage.getItem(key)));
    }
    return items.sort((left, right) => left.order - right.order);
  }

  /** @returns {object[]} the conversation's items in the order typed */
  of(conversationId) {
    return this.items.filter((item) => item.conversationId === conversationId);
  }

  /** Items that the server has not taken yet. */
  unsent() {
    return this.items.filter((item) => item.status !== 'sent');
  }

  /** @param {{attachmentIds?: string[], replyTo?: string | null}} [more] */
  add(conversationId, text, { attachmentIds = [], replyTo = null } = {}) {
    const now = this.now();
    const last = this.items.at(-1)?.order ?? 0;
    const item = {
      clientMessageId: this.newId(),
      conversationId,
      text,
      attachmentIds,
      replyTo,
      createdAt: new Date(now).toISOString(),
      order: Math.max(now, last + 1),
      status: 'pending',
      seq: null,
      attempts: 0,
      error: null,
    };
    this.#store(item);
    this.items.push(item);
    this.pump();
    this.onChange();
    return item;
  }

  /** Send what may be sent: per conversation the oldest waiting item, if none is under way or resting after a refusal. */
  pump() {
    const busy = new Set();
    for (const item of this.items) {
      if (item.status === 'sent' || item.status === 'failed' || busy.has(item.conversationId)) continue;
      busy.add(item.conversationId);
      if (item.status !== 'pending' || this.timers.has(item.clientMessageId) || !this.transmit(item)) continue;
      item.status = 'sending';
      this.#startTimer(item, RECEIPT_TIMEOUT_MS);
    }
  }

  /** The server has the item, as the message with this number: its receipt came, or the message itself. */
  committed(clientMessageId, seq) {
    const item = this.#find(clientMessageId);
    if (!item || item.status === 'sent') return;
    item.status = 'sent';
    item.seq = seq;
    this.#stopTimer(item);
    this.storage.removeItem(this.prefix + clientMessageId);
    this.pump();
    this.onChange();
  }

  /** The item came back as a message: nothing more to keep. */
  arrived(message) {
    this.committed(message.clientMessageId, message.seq);
    this.#drop(message.clientMessageId);
  }

  /** @param {{errorCode: string, message: string}} error why the server refused the item */
  refused(clientMessageId, error) {
    const item = this.#find(clientMessageId);
    if (!item || item.status !== 'sending') return;
    this.#stopTimer(item);
    if (TRANSIENT.has(error.errorCode)) {
      item.status = 'pending';
      item.attempts += 1;
      const ceiling = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (item.attempts - 1));
      this.#startTimer(item, ceiling * (0.5 + this.random() / 2));
    } else {
      item.status = 'failed';
      item.error = error.message;
      this.#store(item);
      this.pump();
    }
    this.onChange();
  }

  /** The connection is gone: what was under way has an unknown outcome and goes out again with the next connection. */
  disconnected() {
    for (const item of this.items) {
      this.#stopTimer(item);
      if (item.status === 'sending') item.status = 'pending';
    }
    this.onChange();
  }

  retry(clientMessageId) {
    const item = this.#find(clientMessageId);
    if (item?.status !== 'failed') return;
    Object.assign(item, { status: 'pending', attempts: 0, error: null });
    this.#store(item);
    this.pump();
    this.onChange();
  }

  discard(clientMessageId) {
    const item = this.#find(clientMessageId);
    if (!item) return;
    this.#stopTimer(item);
    this.storage.removeItem(this.prefix + clientMessageId);
    this.#drop(clientMessageId);
    this.pump();
  }

  /** Sign out: nothing of this user stays on the device, what other tabs stored included. */
  clear() {
    for (const item of this.items) this.#stopTimer(item);
    for (const { clientMessageId } of this.#stored()) this.storage.removeItem(this.prefix + clientMessageId);
    this.items = [];
    this.onChange();
  }

  #find(clientMessageId) {
    return this.items.find((item) => item.clientMessageId === clientMessageId);
  }

  #drop(clientMessageId) {
    const kept = this.items.filter((item) => item.clientMessageId !== clientMessageId);
    if (kept.length === this.items.length) return;
    this.items = kept;
    this.onChange();
  }

  /** Stored as pending whatever its state: after a reload nothing is under way. */
  #store(item) {
    const stored = { ...item, status: item.status === 'failed' ? 'failed' : 'pending', attempts: 0 };
    this.storage.setItem(this.prefix + item.clientMessageId, JSON.stringify(stored));
  }

  #startTimer(item, ms) {
    const timer = this.setTimeout(() => {
      this.timers.delete(item.clientMessageId);
      if (item.status === 'sending') item.status = 'pending';
      this.pump();
    }, ms);
    this.timers.set(item.clientMessageId, timer);
  }

  #stopTimer(item) {
    this.clearTimeout(this.timers.get(item.clientMessageId));
    this.timers.delete(item.clientMessageId);
  }
}
