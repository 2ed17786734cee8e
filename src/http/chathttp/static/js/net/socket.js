/**
 * The STOMP connection: it connects again until it is stopped, keeps the wanted subscriptions in force, and says what happened.
 *
 * What is sent is not kept here: a caller that needs it to arrive (the outbox) sends it again after `onOnline`.
 */
import { Client } from '../../vendor/stompjs/client.js';
import { SignedOut } from './session.js';
import { ApiError } from './api.js';
import { Backoff } from './backoff.js';

const CONNECT_TIMEOUT_MS = 15_000;
/** Close codes that a repetition would meet again: malformed (1002) and too big (1009). */
const FATAL_CLOSE_CODES = new Set([1002, 1009]);
const CLOSE_AUTHENTICATION = 1008;
/** The server is overloaded, or could not get rid of what this client was to read. */
const CLOSE_OVERLOADED = 1013;
const OVERLOADED_REST_MS = 2_000;
/** A connection that lasted so long was none that the server could not bear, ms. */
const STABLE_MS = 10_000;

export class ChatSocket {
  /**
   * @param {object} options
   * @param {string} options.url ws: or wss: URL of the STOMP endpoint
   * @param {{accessToken: (stale?: string) => Promise<string>}} options.session
   * @param {(status: 'online' | 'offline' | 'refused') => void} options.onStatus
   * @param {(destination: string, errorCode: string) => void} options.onSubscriptionRefused
   * @param {(headers: object) => void} options.onReceipt the headers of a SEND's RECEIPT
   */
  constructor({ url, session, onStatus, onSubscriptionRefused, onReceipt }) {
    this.session = session;
    this.onStatus = onStatus;
    this.onSubscriptionRefused = onSubscriptionRefused;
    this.backoff = new Backoff();
    this.wanted = new Map();
    this.active = new Map();
    this.refusals = 0;
    this.connectedAt = null;
    this.rest = 0; // ms that the server wants before the next attempt
    this.attempted = false;
    this.token = null;
    this.staleToken = undefined;
    this.client = new Client({
      brokerURL: url,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      reconnectDelay: 1, // the wait is ours, in beforeConnect
      discardWebsocketOnCommFailure: true,
      beforeConnect: () => this.#prepare(),
      onConnect: () => this.#connected(),
      onStompError: (frame) => this.#refused(frame),
      onWebSocketClose: (event) => this.#closed(event),
      onUnhandledReceipt: (frame) => onReceipt(frame.headers),
      // A frame of a subscription that was given up a moment ago.
      onUnhandledMessage: () => {},
    });
  }

  start() {
    this.client.activate();
  }

  async stop() {
    this.backoff.skip();
    await this.client.deactivate();
  }

  /** Try again now instead of after the back-off: the network is back, or the user asks. */
  reconnectNow() {
    this.backoff.skip();
  }

  /** The access token was renewed: give it to the connection, so that it outlives the old one. */
  renewToken(token) {
    if (token === this.token || !this.client.connected) return;
    this.token = token;
    this.send('/app/auth.refresh', { accessToken: token });
  }

  /** @returns {boolean} false when there is no connection; true says only that it was handed over */
  send(destination, body, receipt) {
    if (!this.client.connected) return false;
    const headers = { 'content-type': 'application/json', ...(receipt ? { receipt } : {}) };
    this.client.publish({ destination, body: JSON.stringify(body), headers });
    return true;
  }

  /**
   * Make exactly these subscriptions be in force, now and after every reconnect.
   *
   * @param {Map<string, {onMessage: (frame: {headers: object, body: any}) => void, headers?: () => object}>} wanted by
   *   destination; `headers` is asked at each SUBSCRIBE, where to resume changes
   */
  subscribe(wanted) {
    this.wanted = wanted;
    if (!this.client.connected) return;
    for (const [destination, subscription] of this.active) {
      if (wanted.has(destination)) continue;
      this.active.delete(destination);
      if (subscription) subscription.unsubscribe();
    }
    for (const destination of wanted.keys()) if (!this.active.has(destination)) this.#subscribe(destination);
  }

  /** Subscribe anew, from where the subscription's headers now say. */
  resubscribe(destination) {
    if (!this.active.has(destination)) return;
    this.active.get(destination)?.unsubscribe();
    this.active.delete(destination);
    this.subscribe(this.wanted);
  }

  #subscribe(destination) {
    const { headers, onMessage } = this.wanted.get(destination);
    const subscription = this.client.subscribe(
      destination,
      // Out of stompjs's parser, which only logs what a handler throws.
      (frame) => {
        try {
          onMessage({ headers: frame.headers, body: JSON.parse(frame.body) });
        } catch (error) {
          reportError(error);
        }
      },
      headers ? headers() : {},
    );
    this.active.set(destination, subscription);
  }

  /** Before each attempt: wait, except before the first, and get a token; both until they succeed or nobody wants them. */
  async #prepare() {
    for (let waited = !this.attempted; ; waited = false) {
      if (!waited) await this.backoff.wait(this.rest);
      this.rest = 0;
      this.attempted = true;
      if (!this.client.active) return;
      try {
        this.token = await this.session.accessToken(this.staleToken);
        break;
      } catch (error) {
        if (error instanceof SignedOut) return; // whoever listens to the session stops this socket
        if (!(error instanceof ApiError)) throw error;
        this.rest = error.retryAfter;
        this.onStatus('offline');
      }
    }
    this.staleToken = undefined;
    this.client.connectHeaders = { Authorization: `Bearer ${this.token}` };
  }

  #connected() {
    this.connectedAt = Date.now();
    this.refusals = 0;
    this.active.clear();
    for (const destination of this.wanted.keys()) this.#subscribe(destination);
    this.onStatus('online');
  }

  /** An ERROR frame: of one subscription, after which the connection stays, or the reason of a close that follows. */
  #refused(frame) {
    const { message: errorCode, subscription: id } = frame.headers;
    if (id === undefined) {
      console.warn(`The server ends the connection: ${errorCode}`);
      return;
    }
    for (const [destination, subscription] of this.active) {
      if (subscription?.id !== id) continue;
      this.active.set(destination, null);
      this.onSubscriptionRefused(destination, errorCode);
    }
  }

  #closed({ code }) {
    this.active.clear();
    if (this.connectedAt !== null && Date.now() - this.connectedAt >= STABLE_MS) this.backoff.reset();
    this.connectedAt = null;
    if (code === CLOSE_OVERLOADED) this.rest = OVERLOADED_REST_MS;
    if (code === CLOSE_AUTHENTICATION) {
      this.refusals += 1;
      this.staleToken = this.token;
    }
    // A token fresh from the identity provider and refused again: the repetition would never end.
    if (FATAL_CLOSE_CODES.has(code) || this.refusals > 2) {
      this.onStatus('refused');
      this.client.deactivate();
      return;
    }
    this.onStatus('offline');
  }
}
