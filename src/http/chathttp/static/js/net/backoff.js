/** Waiting before the next attempt to connect: exponential with full jitter, so that a thousand clients do not come back at once. */

const BASE_MS = 500;
const MAX_MS = 30_000;

/**
 * @param {number} attempt 0 for the first repetition
 * @param {number} atLeast ms that the server asked for; up to half of it comes on top, since it may have asked all for the same
 * @returns {number} ms to wait before that attempt: uniform in (base/2, ceiling) without `atLeast`, else after it
 */
export function backoffDelay(attempt, atLeast = 0, random = Math.random) {
  const ceiling = Math.min(MAX_MS, BASE_MS * 2 ** attempt);
  return atLeast * (1 + random() / 2) + BASE_MS / 2 + random() * (ceiling - BASE_MS / 2);
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

  /** @returns {Promise<void>} after the delay, never shorter than `atLeast` ms, or at once when `skip()` is called */
  async wait(atLeast = 0) {
    const delay = backoffDelay(this.#attempt, atLeast);
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
