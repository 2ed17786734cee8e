/**
 * Who is signed in, and a valid access token for whoever asks.
 *
 * The tokens are in localStorage, one record for all tabs: refresh tokens rotate, and a tab that used its own copy of an old one
 * would make the server revoke the whole family. So every refresh happens under a lock between the tabs, begins with reading the
 * record again, and a tab that waited uses what the other one got.
 */
import { ApiError, request } from './api.js';
import { withTabLock } from './tab-lock.js';

const KEY = 'stackmentor.session';
/** A token is renewed when less than this share of its life is left, and never used with less than MIN_LEFT_MS left. */
const RENEW_SHARE = 0.2;
const MIN_LEFT_MS = 5_000;

/** The session is over: the refresh token was refused, or there is none. */
export class SignedOut extends Error {
  constructor() {
    super('Your session has ended. Please sign in again.');
    this.name = 'SignedOut';
  }
}

/**
 * Events: `token` (detail: the new access token, from whichever tab) and `ended` (the session is over, from whichever tab).
 */
export class Session extends EventTarget {
  #record = read();
  #renewal = null;
  #refreshing = null;

  constructor() {
    super();
    window.addEventListener('storage', (event) => {
      if (event.key === KEY || event.key === null) this.#changedElsewhere();
    });
    this.#scheduleRenewal();
  }

  get isSignedIn() {
    return this.#record !== null;
  }

  async signIn(email, password) {
    const { body } = await request('POST', '/auth/login', { body: { email, password } });
    this.#write(body);
  }

  /** Ends the session on this device, in every tab. The server is told at once, but not waited for: it may be out of reach. */
  async signOut() {
    await withTabLock('session', async () => {
      const record = read();
      this.#forget();
      if (record !== null) void revoke(record.refreshToken);
    });
  }

  /**
   * An access token that is good for at least MIN_LEFT_MS.
   *
   * @param {string} [stale] a token that the server has refused, not to be given again
   * @throws {SignedOut} when there is no session any more
   * @throws {ApiError} when the server cannot be asked now
   */
  async accessToken(stale) {
    if (this.#record === null) throw new SignedOut();
    if (usable(this.#record, stale)) return this.#record.accessToken;
    this.#refreshing ??= this.#refresh(stale).finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
    if (this.#record === null) throw new SignedOut();
    return this.#record.accessToken;
  }

  async #refresh(stale) {
    await withTabLock('session', async () => {
      const record = read();
      if (record === null) return this.#end();
      if (usable(record, stale)) return this.#adopt(record); // another tab was first
      try {
        const { body } = await request('POST', '/auth/refresh', { body: { refreshToken: record.refreshToken } });
        this.#write(body);
      } catch (error) {
        // 400 too: an identity provider may call a malformed or foreign refresh token a bad request.
        if (!(error instanceof ApiError) || ![400, 401, 403].includes(error.status)) throw error;
        this.#end();
      }
    });
  }

  #write({ accessToken, refreshToken, expiresIn }) {
    const lifetime = expiresIn * 1000;
    const record = { accessToken, refreshToken, lifetime, expiresAt: Date.now() + lifetime };
    localStorage.setItem(KEY, JSON.stringify(record));
    this.#adopt(record);
  }

  #adopt(record) {
    this.#record = record;
    this.#scheduleRenewal();
    this.dispatchEvent(new CustomEvent('token', { detail: record.accessToken }));
  }

  #forget() {
    clearTimeout(this.#renewal);
    this.#record = null;
    localStorage.removeItem(KEY);
  }

  #end() {
    this.#forget();
    this.dispatchEvent(new Event('ended'));
  }

  #changedElsewhere() {
    const record = read();
    if (record === null) {
      if (this.#record !== null) this.#end();
    } else if (this.#record !== null && record.accessToken !== this.#record.accessToken) {
      // Another account signed in there: this tab's user is gone.
      if (subject(record.accessToken) !== subject(this.#record.accessToken)) location.reload();
      else this.#adopt(record);
    }
  }

  #scheduleRenewal() {
    clearTimeout(this.#renewal);
    if (this.#record === null) return;
    const { accessToken, expiresAt, lifetime } = this.#record;
    const wait = Math.max(0, expiresAt - Date.now() - lifetime * RENEW_SHARE);
    this.#renewal = setTimeout(() => {
      this.accessToken(accessToken).catch((error) => {
        if (error instanceof SignedOut) return;
        if (!(error instanceof ApiError)) throw error;
        // The server is away; asked again while the token lasts, and in any case at the next reconnect.
        this.#renewal = setTimeout(() => this.#scheduleRenewal(), MIN_LEFT_MS);
      });
    }, wait);
  }
}

async function revoke(refreshToken) {
  try {
    await request('POST', '/auth/logout', { body: { refreshToken } });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    console.warn(`The refresh token was not revoked: ${error.message}`);
  }
}

function usable(record, stale) {
  return record.accessToken !== stale && record.expiresAt - Date.now() > MIN_LEFT_MS;
}

function read() {
  const text = localStorage.getItem(KEY);
  return text === null ? null : JSON.parse(text);
}

/** The `sub` claim; the token is the server's to verify, here it only names the user. */
function subject(token) {
  return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).sub;
}
