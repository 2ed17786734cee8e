/** The REST API: JSON in and out, one error type, the bearer token from the session. */
import { Backoff } from './backoff.js';

/** A request that has no answer after this time is given up, ms. */
const REQUEST_TIMEOUT_MS = 15_000;
/** A GET that was not served is repeated so many times: behind a load balancer the next one reaches another server. */
const MOST_REPEATS = 3;
/** No answer; too many requests; a gateway without a server; a server that ends, or that is overloaded. */
const PASSING = new Set([0, 429, 502, 503, 504]);

/** An answer that is an error, or no answer (`errorCode` NETWORK, `status` 0). */
export class ApiError extends Error {
  /** @param {number} [retryAfter] ms after which the server asks to come again */
  constructor(status, { errorCode, message, details = null }, retryAfter = 0) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.errorCode = errorCode;
    this.details = details;
    this.retryAfter = retryAfter;
  }

  /** The same request may be served later, or by another server. */
  get isPassing() {
    return PASSING.has(this.status);
  }

  /** The refusal is about who asks, not about what is asked. */
  get isAuthentication() {
    return this.status === 401;
  }
}

/**
 * Send one request without a token.
 *
 * @returns {Promise<{status: number, body: any, next: string | null}>} `next` is the target of the answer's `Link; rel="next"`
 * @throws {ApiError}
 */
export async function request(method, path, { body, headers = {} } = {}) {
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new ApiError(0, { errorCode: 'NETWORK', message: 'The server cannot be reached.', details: { cause: String(error) } });
  }
  const parsed = parse(text);
  if (!response.ok) {
    const error = {
      errorCode: parsed?.errorCode ?? 'INTERNAL_ERROR',
      message: parsed?.message ?? `The server answered ${response.status}.`,
      details: parsed?.details ?? null,
    };
    throw new ApiError(response.status, error, retryAfter(response.headers.get('Retry-After')));
  }
  return { status: response.status, body: parsed, next: nextLink(response.headers.get('Link')) };
}

function parse(text) {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null; // a proxy's error page
  }
}

/** @returns {number} ms of a Retry-After header in seconds (RFC 9110, 10.2.3), 0 without one; a date is not understood */
export function retryAfter(header) {
  return /^\d+$/.test(header ?? '') ? Number(header) * 1000 : 0;
}

/** @returns {string | null} the target of `rel="next"` in a Link header (RFC 8288) */
export function nextLink(header) {
  const match = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec(header ?? '');
  return match ? match[1] : null;
}

/** The calls that the client makes, on behalf of the session's user. Every method throws ApiError. */
export class Api {
  /** @param {{accessToken: (stale?: string) => Promise<string>}} session gives a token; never again the `stale` one */
  constructor(session) {
    this.session = session;
  }

  async #call(method, path, body) {
    const backoff = new Backoff();
    for (let repeats = 0; ; repeats += 1) {
      try {
        return await this.#callOnce(method, path, body);
      } catch (error) {
        const isRepeated = method === 'GET' && repeats < MOST_REPEATS && error instanceof ApiError && error.isPassing;
        if (!isRepeated) throw error;
        await backoff.wait(error.retryAfter);
      }
    }
  }

  async #callOnce(method, path, body) {
    const token = await this.session.accessToken();
    try {
      return await request(method, path, { body, headers: { Authorization: `Bearer ${token}` } });
    } catch (error) {
      if (!(error instanceof ApiError) || !error.isAuthentication) throw error;
      const fresh = await this.session.accessToken(token);
      return request(method, path, { body, headers: { Authorization: `Bearer ${fresh}` } });
    }
  }

  async me() {
    return (await this.#call('GET', '/api/users/me')).body;
  }

  async searchUsers(search) {
    return (await this.#call('GET', `/api/users?${new URLSearchParams({ search, page: '0', size: '20' })}`)).body.content;
  }

  /** @param {string | null} page the path of a following page, null for the first */
  async conversations(page) {
    const { body, next } = await this.#call('GET', page ?? '/api/conversations?limit=50');
    return { conversations: body, nextPage: next };
  }

  async conversation(id) {
    return (await this.#call('GET', `/api/conversations/${encodeURIComponent(id)}`)).body;
  }

  async createConversation({ type, participantIds, name }) {
    const named = name ? { name } : {};
    return (await this.#call('POST', '/api/conversations', { type, participantIds, ...named })).body;
  }

  /** @returns {Promise<object[]>} newest first; those before `beforeSeq`, else the newest */
  async messages(conversationId, { beforeSeq, size }) {
    const query = new URLSearchParams({ conversationId, size: String(size) });
    query.set(...(beforeSeq === undefined ? ['page', '0'] : ['beforeSeq', String(beforeSeq)]));
    return (await this.#call('GET', `/api/messages?${query}`)).body.content;
  }

  async editMessage(id, text) {
    return (await this.#call('PATCH', `/api/messages/${encodeURIComponent(id)}`, { text })).body;
  }

  async deleteMessage(id) {
    await this.#call('DELETE', `/api/messages/${encodeURIComponent(id)}`);
  }

  async setReaction(messageId, emoji, isOn) {
    const path = `/api/messages/${encodeURIComponent(messageId)}/reactions/${encodeURIComponent(emoji)}`;
    await this.#call(isOn ? 'PUT' : 'DELETE', path);
  }

  /** @returns {Promise<Array<{message: object, excerpt: Array<{text: string, isMatch: boolean}>}>>} best first */
  async searchMessages(query) {
    return (await this.#call('GET', `/api/messages/search?${new URLSearchParams({ q: query, size: '50' })}`)).body;
  }

  async promiseAttachment({ fileName, contentType, size }) {
    return (await this.#call('POST', '/api/attachments', { fileName, contentType, size })).body;
  }

  /** @param {string} url as messages bear it @returns {Promise<string>} a link that needs no token and lasts minutes */
  async attachmentLink(url) {
    return (await this.#call('GET', url)).body.downloadUrl;
  }

  async renameConversation(id, name) {
    await this.#call('PATCH', `/api/conversations/${encodeURIComponent(id)}`, { name });
  }

  async addMembers(id, userIds) {
    await this.#call('POST', `/api/conversations/${encodeURIComponent(id)}/participants`, { userIds });
  }

  /** Also the way to leave. */
  async removeMember(id, userId) {
    await this.#call('DELETE', `/api/conversations/${encodeURIComponent(id)}/participants/${encodeURIComponent(userId)}`);
  }

  async changeRole(id, userId, role) {
    await this.#call('PATCH', `/api/conversations/${encodeURIComponent(id)}/participants/${encodeURIComponent(userId)}`, { role });
  }

  async deleteGroup(id) {
    await this.#call('DELETE', `/api/groups/${encodeURIComponent(id)}`);
  }

  /** @param {string | null} until RFC 3339; null ends it */
  async mute(id, until) {
    await this.#call('PUT', `/api/conversations/${encodeURIComponent(id)}/mute`, { until });
  }

  /** @returns {Promise<string[]>} whom the user has blocked */
  async blocks() {
    return (await this.#call('GET', '/api/users/me/blocks')).body.userIds;
  }

  async setBlocked(userId, isBlocked) {
    await this.#call(isBlocked ? 'PUT' : 'DELETE', `/api/users/me/blocks/${encodeURIComponent(userId)}`);
  }
}
