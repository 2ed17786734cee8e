/** The connection to the node: questions and answers, watches, and coming back by itself. */

const PREFIX = '/console/v1';
const SUBPROTOCOL = 'stackmentor.console.v1';
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

/** The node refused what was asked. `code` is one of the contract's. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** @typedef {'connecting' | 'live' | 'lost' | 'unauthorized'} LinkState */

export class Link {
  /**
   * @param {string} token
   * @param {(state: LinkState) => void} onState
   */
  constructor(token, onState) {
    this._token = token;
    this._onState = onState;
    this._socket = null;
    this._next = 1;
    this._waiting = new Map();
    this._streams = new Map();
    this._wait = FIRST_WAIT_MS;
    this._closed = false;
    this._timer = 0;
  }

  open() {
    this._onState('connecting');
    this._connect();
  }

  close() {
    this._closed = true;
    clearTimeout(this._timer);
    this._socket?.close();
    this._fail();
  }

  /** @returns {Promise<object>} the answer; rejects with `Refused` */
  ask(request) {
    const id = this._next++;
    return new Promise((resolve, reject) => {
      if (!this._isOpen()) {
        reject(new Refused('UNAVAILABLE', 'The node is not connected'));
        return;
      }
      this._waiting.set(id, { resolve, reject });
      this._send({ ...request, id });
    });
  }

  /**
   * A request that is answered again and again, and made anew on each new connection.
   *
   * @param {object} request
   * @param {(answer: object) => void} onAnswer also of refusals
   * @param {() => void} onLost when the connection is, and with it all that was answered by its state
   * @returns {() => void} what ends it
   */
  stream(request, onAnswer, onLost = () => {}) {
    const id = this._next++;
    this._streams.set(id, { request, onAnswer, onLost });
    if (this._isOpen()) this._send({ ...request, id });
    return () => {
      if (this._streams.delete(id) && this._isOpen()) this._send({ op: 'stop', id });
    };
  }

  _isOpen() {
    return this._socket?.readyState === WebSocket.OPEN;
  }

  _send(request) {
    this._socket.send(JSON.stringify(request));
  }

  async _connect() {
    // A WebSocket does not tell a page why it was refused; this does.
    const status = await this._probe();
    if (this._closed) return;
    if (status === 401) {
      this._closed = true;
      this._onState('unauthorized');
    } else if (status === 200) this._openSocket();
    else this._later();
  }

  async _probe() {
    try {
      const headers = { Authorization: `Bearer ${this._token}` };
      return (await fetch(`${PREFIX}/schema`, { method: 'HEAD', headers, cache: 'no-store' })).status;
    } catch {
      return 0;
    }
  }

  _openSocket() {
    const socket = new WebSocket(`ws://${location.host}${PREFIX}/ws`, [SUBPROTOCOL, `token.${this._token}`]);
    this._socket = socket;
    socket.addEventListener('open', () => {
      this._wait = FIRST_WAIT_MS;
      this._onState('live');
      for (const [id, { request }] of this._streams) this._send({ ...request, id });
    });
    socket.addEventListener('message', (event) => this._take(JSON.parse(event.data)));
    socket.addEventListener('close', () => {
      this._fail();
      if (!this._closed) this._later();
    });
  }

  _later() {
    this._onState('lost');
    this._timer = setTimeout(() => this._connect(), this._wait);
    this._wait = Math.min(this._wait * 2, LONGEST_WAIT_MS);
  }

  _take(answer) {
    const waiting = this._waiting.get(answer.id);
    if (waiting) {
      this._waiting.delete(answer.id);
      if (answer.type === 'refused') waiting.reject(new Refused(answer.errorCode, answer.message));
      else waiting.resolve(answer);
    } else this._streams.get(answer.id)?.onAnswer(answer);
  }

  _fail() {
    for (const { reject } of this._waiting.values()) reject(new Refused('UNAVAILABLE', 'The connection was lost'));
    this._waiting.clear();
    for (const { onLost } of this._streams.values()) onLost();
  }
}
