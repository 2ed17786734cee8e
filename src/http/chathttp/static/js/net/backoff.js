/** Waiting before the next attempt to connect: exponential with full jitter, so that a thousand clients do not come back at once. */

const BASE_MS = 500;
const MAX_MS = 30_000;

/** @returns {number} ms to wait before attempt number `attempt` (0 for the first repetition), uniform in (base/2, ceiling) */
export function backoffDelay(attempt, random = Math.random) {
  const ceiling = Math.min(MAX_MS, BASE_MS * 2 ** attempt);
  return BASE_MS / 2 + random() * (ceiling - BASE_MS / 2);
}

/** A wait that can be cut short, by the user or by the network's return. */
export class Backoff {
  #attempt = 0;
  #wake = null;

  /** When the wait under way ends by itself, ms since the epoch; null when none is under way. */
  until = null;

  reset() {
    this.#attempt = 0;
  }

  /** @returns {Promise<void>} after the delay, or at once when `skip()` is called */
  async wait() {
    const delay = backoffDelay(this.#attempt);
    this.#attempt += 1;
    this.until = Date.now() + delay;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
    this.until = null;
  }

  skip() {
    this.#wake?.();
  }
}
