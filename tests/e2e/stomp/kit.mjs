/** Real STOMP clients against a running server, with promises for what comes. */
import { once } from 'node:events';
import { Client } from '@stomp/stompjs';
import { WebSocket } from 'ws';

export const BASE_URL = process.env.STACKMENTOR_URL;
export const WS_URL = process.env.STACKMENTOR_WS_URL;
/** Nothing on one machine takes this long; what does is lost, ms. */
const PATIENCE_MS = 10_000;
const PASSWORD = 'Passw0rd!';

/** Values in the order they came, to be awaited. */
export class Inbox {
  #values = [];
  #waiting = [];

  push(value) {
    this.#values.push(value);
    for (const check of [...this.#waiting]) check();
  }

  /** Take the first value that fits; an Error that names `what` when none comes in time. */
  take(what, fits = () => true) {
    return new Promise((resolve, reject) => {
      const check = () => {
        const index = this.#values.findIndex(fits);
        if (index < 0) return;
        finish();
        resolve(this.#values.splice(index, 1)[0]);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`no ${what} within ${PATIENCE_MS} ms; there is ${JSON.stringify(this.#values)}`));
      }, PATIENCE_MS);
      const finish = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== check);
      };
      this.#waiting.push(check);
      check();
    });
  }

  /** What came and was not taken. */
  get rest() {
    return [...this.#values];
  }
}

/** A REST call to the server `at`; `status` and the parsed `body`. */
export async function rest(method, path, { token, body, at = BASE_URL } = {}) {
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(at + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
}

/** Sign in as a demo user, `at` a server: `{token, refreshToken, id}`. Tests that send many at once use Carol, whose rate no other test uses up. */
export async function signIn(name, at = BASE_URL) {
  const { status, body } = await rest('POST', '/auth/login', { at, body: { email: `${name}@example.com`, password: PASSWORD } });
  if (status !== 200) throw new Error(`sign-in of ${name}: ${status} ${JSON.stringify(body)}`);
  const me = await rest('GET', '/api/users/me', { at, token: body.accessToken });
  return { token: body.accessToken, refreshToken: body.refreshToken, id: me.body.id };
}

/** A conversation of its own for a test, so that its messages count from 1. */
export async function newGroup(owner, ...members) {
  const body = { type: 'GROUP', name: 'A test', participantIds: members.map(({ id }) => id) };
  const made = await rest('POST', '/api/conversations', { token: owner.token, body });
  if (made.status !== 201) throw new Error(`new group: ${made.status} ${JSON.stringify(made.body)}`);
  return made.body.id;
}

/** A connection: the stompjs client, and what came on it outside of subscriptions. */
export class Connection {
  #receipts = 0;

  constructor(client) {
    this.client = client;
    this.errors = new Inbox(); // ERROR frames
    this.closes = new Inbox(); // close events
    this.connects = new Inbox(); // CONNECTED frames
    this.strays = []; // receipts and messages that nobody waits for
    client.onConnect = (frame) => this.connects.push(frame);
    client.onStompError = (frame) => this.errors.push(frame);
    client.onWebSocketClose = (event) => this.closes.push(event);
    client.onUnhandledReceipt = (frame) => this.strays.push(frame);
    client.onUnhandledMessage = (frame) => this.strays.push(frame);
    client.onUnhandledFrame = (frame) => this.strays.push(frame);
  }

  #receipt(what) {
    const id = `receipt-${(this.#receipts += 1)}`;
    const inbox = new Inbox();
    this.client.watchForReceipt(id, (frame) => inbox.push(frame));
    return { id, received: () => inbox.take(`receipt of ${what}`), inbox };
  }

  /** Subscribe and wait until it is in force: `{inbox, subscription}`; the inbox has frames with `json` beside `headers`. */
  async subscribe(destination, headers = {}) {
    const inbox = new Inbox();
    const { id, received } = this.#receipt(`SUBSCRIBE ${destination}`);
    const subscription = this.client.subscribe(
      destination,
      (frame) => inbox.push(Object.assign(frame, { json: JSON.parse(frame.body) })),
      { receipt: id, ...headers },
    );
    await received();
    return { inbox, subscription };
  }

  /** SEND with a receipt, and give its headers. */
  async send(destination, body, options = {}) {
    const { id, received } = this.#receipt(`SEND ${destination}`);
    const { headers, ...rest } = options;
    this.client.publish({ destination, body: JSON.stringify(body), ...rest, headers: { receipt: id, ...headers } });
    return (await received()).headers;
  }

  /** SEND with a receipt that must not come: `{receiptId, isReceived}`. */
  sendRefused(destination, body) {
    const { id, inbox } = this.#receipt(`SEND ${destination}`);
    this.client.publish({ destination, body, headers: { receipt: id } });
    return { receiptId: id, isReceived: () => inbox.rest.length > 0 };
  }

  say(conversationId, text, more = {}) {
    return this.send('/app/message.send', { conversationId, text, ...more });
  }

  close() {
    return this.client.deactivate();
  }
}

/** A client with the token in the CONNECT frame, as mobile apps have it; not connected yet. */
export function newConnection(token, { url = WS_URL, ...options } = {}) {
  return new Connection(
    new Client({
      webSocketFactory: () => new WebSocket(url, options.stompVersions?.protocolVersions() ?? ['v12.stomp', 'v11.stomp', 'v10.stomp']),
      connectHeaders: { Authorization: `Bearer ${token}` },
      reconnectDelay: 0,
      ...options,
    }),
  );
}

/** Connect as a user, to the server at `url` among the options, and close when the test ends. */
export async function connect(t, { token }, options = {}) {
  const connection = newConnection(token, options);
  t.after(() => connection.client.deactivate({ force: true }));
  connection.client.activate();
  await connection.connects.take('CONNECTED frame');
  return connection;
}

/** A bare WebSocket that is open. */
export async function openWebSocket(protocols = ['v12.stomp']) {
  const socket = new WebSocket(WS_URL, protocols);
  await once(socket, 'open');
  return socket;
}
