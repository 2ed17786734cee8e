/** Moves the user's read marks: at once, then at most one frame a second, and again after a reconnect until the server said so. */

const INTERVAL_MS = 1_000;

export class ReadMarker {
  #targets = new Map();
  #unsent = new Set();
  #timer = null;

  /** @param {(destination: string, body: object) => boolean} send false when there is no connection */
  constructor(send) {
    this.send = send;
  }

  /** The user has seen the conversation up to `seq`. */
  read(conversationId, seq) {
    if (seq <= (this.#targets.get(conversationId) ?? 0)) return;
    this.#targets.set(conversationId, seq);
    this.#unsent.add(conversationId);
    if (this.#timer === null) this.#flush();
  }

  /** The server has the mark, from this device or another. */
  confirmed(conversationId, seq) {
    if (seq >= (this.#targets.get(conversationId) ?? Infinity)) this.#targets.delete(conversationId);
  }

  /** What went out on the old connection and was not confirmed may be lost. */
  reconnected() {
    for (const conversationId of this.#targets.keys()) this.#unsent.add(conversationId);
    this.#flush();
  }

  #flush() {
    this.#timer = null;
    for (const conversationId of this.#unsent) {
      const seq = this.#targets.get(conversationId);
      if (seq !== undefined && !this.send('/app/message.read', { conversationId, seq })) return;
      this.#unsent.delete(conversationId);
      this.#timer ??= setTimeout(() => this.#flush(), INTERVAL_MS);
    }
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
