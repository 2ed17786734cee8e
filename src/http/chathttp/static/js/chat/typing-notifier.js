/**
 * Tells the server that the user types: a start at the first key and again while it goes on (the server's own memory ends after
 * 6 s), a stop when it ended. A sent message ends it without a word.
 */

const REPEAT_MS = 3_000;
/** The server drops starts that come faster. */
const SPACING_MS = 1_000;
const IDLE_MS = 4_000;

export class TypingNotifier {
  #conversationId = null;
  #startedAt = -Infinity;
  #idle = null;

  /** @param {(destination: string, body: object) => void} send */
  constructor(send, { now = () => Date.now() } = {}) {
    this.send = send;
    this.now = now;
  }

  /** A key changed the draft of this conversation. */
  typed(conversationId) {
    if (this.#conversationId !== conversationId) this.stopped();
    const spacing = this.#conversationId === null ? SPACING_MS : REPEAT_MS;
    if (this.now() - this.#startedAt >= spacing) {
      this.#conversationId = conversationId;
      this.#startedAt = this.now();
      this.send('/app/typing.start', { conversationId });
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stopped(), IDLE_MS);
  }

  /** The draft was emptied, left, or untouched for a while. */
  stopped() {
    if (this.#conversationId === null) return;
    this.send('/app/typing.stop', { conversationId: this.#conversationId });
    this.sent();
  }

  sent() {
    clearTimeout(this.#idle);
    this.#conversationId = null;
  }
}
