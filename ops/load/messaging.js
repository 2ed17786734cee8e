// People who log in, open a conversation, write ten messages and read them as they arrive over STOMP 1.2.
// Settings and what differs from a plain REST script: docs/load-testing.md, section k6.
import http from 'k6/http';
import { check, fail, sleep } from 'k6';
import { SharedArray } from 'k6/data';
import { Counter, Rate, Trend } from 'k6/metrics';
import { WebSocket } from 'k6/experimental/websockets';

const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/$/, '');
const WS_URL = __ENV.WS_URL || `${BASE_URL.replace(/^http/, 'ws')}/ws`;
const MESSAGES = Number(__ENV.MESSAGES || 10);
const PAUSE_MS = 1000 * Number(__ENV.PAUSE || 1);
const CONNECTED_MS = 1000 * Number(__ENV.CONNECTED || 30);
const REST_SECONDS = Number(__ENV.REST || 5);
const P95_MS = Number(__ENV.P95_MS || 500);
const STAGES = __ENV.STAGES || '2m:100,5m:100,2m:200,5m:200,2m:0';

const DEMO_ACCOUNTS = ['alice', 'bob', 'carol'].map((name) => ({
  username: `${name}@example.com`,
  password: 'Passw0rd!',
}));

// Parsed once and shared by all VUs: either what `stackmentor token --json` writes, or accounts with passwords.
const tokens = new SharedArray('tokens', () =>
  __ENV.TOKENS ? open(__ENV.TOKENS).split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line)) : [],
);
const accounts = new SharedArray('accounts', () => (__ENV.ACCOUNTS ? JSON.parse(open(__ENV.ACCOUNTS)) : DEMO_ACCOUNTS));

const errors = new Rate('errors');
const received = new Counter('stomp_messages_received');
const missing = new Counter('stomp_messages_missing');
const outOfOrder = new Counter('stomp_messages_out_of_order');
const delivery = new Trend('stomp_delivery', true);

export const options = {
  scenarios: {
    messaging: {
      executor: 'ramping-vus',
      startVUs: 1,
      stages: STAGES.split(',').map((stage) => {
        const [duration, target] = stage.split(':');
        return { duration, target: Number(target) };
      }),
      // A person who is in the middle of it finishes, so that no message counts as missing because of the ramp.
      gracefulRampDown: '90s',
      gracefulStop: '90s',
    },
  },
  thresholds: {
    http_req_duration: [`p(95)<${P95_MS}`],
    http_req_failed: ['rate<0.01'],
    errors: ['rate<0.01'],
    stomp_delivery: [`p(95)<${P95_MS}`],
    stomp_messages_received: ['count>0'],
    stomp_messages_missing: ['count==0'],
    stomp_messages_out_of_order: ['count==0'],
  },
};

/** Declared at zero, or a threshold on a counter that was never touched would have nothing to judge. */
function declareCounters() {
  received.add(0);
  missing.add(0);
  outOfOrder.add(0);
}

function expect(subject, conditions) {
  const passed = check(subject, conditions);
  errors.add(!passed);
  return passed;
}

function jsonHeaders(token) {
  const headers = { 'Content-Type': 'application/json' };
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

function logIn(account) {
  const answer = http.post(`${BASE_URL}/auth/login`, JSON.stringify(account), { headers: jsonHeaders() });
  const passed = expect(answer, {
    'login successful': (r) => r.status === 200,
    'has access token': (r) => r.status === 200 && Boolean(r.json('accessToken')),
  });
  return passed ? answer.json('accessToken') : null;
}

/** The user ids of all people, in the order of `tokens` or `accounts`: a conversation is opened with an id. */
export function setup() {
  declareCounters();
  const people = tokens.length > 0 ? tokens.map((each) => each.userId) : accounts.map(userIdOf);
  if (people.length < 2) {
    fail('two people at least are needed');
  }
  return { people };
}

function userIdOf(account) {
  const token = logIn(account);
  if (token === null) {
    fail(`no login for ${account.username}`);
  }
  return http.get(`${BASE_URL}/api/users/me`, { headers: jsonHeaders(token) }).json('id');
}

function openConversation(token, otherId) {
  const body = JSON.stringify({ type: 'DIRECT', participantIds: [otherId] });
  const answer = http.post(`${BASE_URL}/api/conversations`, body, { headers: jsonHeaders(token) });
  // 200 when the two have one already.
  const passed = expect(answer, { 'conversation opened': (r) => r.status === 201 || r.status === 200 });
  return passed ? answer.json('id') : null;
}

export default async function (data) {
  const me = (__VU - 1) % data.people.length;
  const token = tokens.length > 0 ? tokens[me].token : logIn(accounts[me]);
  const conversationId = token && openConversation(token, data.people[(me + 1) % data.people.length]);
  if (conversationId) {
    await talk(token, conversationId);
  }
  sleep(REST_SECONDS);
}

/** Subscribes, sends the messages, and stays until they have come in and the time of a connection is over. */
async function talk(token, conversationId) {
  const started = Date.now();
  const inbox = new Inbox();
  const connection = new StompConnection(token, (id, seq) => inbox.take(id, seq));
  const subscribed = (await connection.connected) && (await connection.subscribe(conversationId));
  expect(subscribed, { 'subscribed over STOMP': (done) => done === true });
  if (subscribed) {
    for (let number = 0; number < MESSAGES; number += 1) {
      await send(token, conversationId, number, inbox);
      await pause(PAUSE_MS);
    }
    await pause(Math.max(0, started + CONNECTED_MS - Date.now()));
    const lost = inbox.missing();
    missing.add(lost);
    expect(lost, { 'all messages received over STOMP': (count) => count === 0 });
    expect(inbox.disorder, { 'seq rises by one': (count) => count === 0 });
  }
  connection.close();
}

async function send(token, conversationId, number, inbox) {
  const body = JSON.stringify({ conversationId, text: `Load test message ${number} from VU ${__VU}` });
  const sentAt = Date.now();
  const answer = await http.asyncRequest('POST', `${BASE_URL}/api/messages`, body, { headers: jsonHeaders(token) });
  const passed = expect(answer, {
    'message sent': (r) => r.status === 201,
    'message has id': (r) => r.status === 201 && Boolean(r.json('id')),
  });
  if (passed) {
    inbox.acknowledged(answer.json('id'), sentAt);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What came over the subscription: this VU's own messages, and those of others in the same conversation. */
class Inbox {
  constructor() {
    this.disorder = 0;
    this.lastSeq = null;
    this.arrivals = new Map();
    this.sent = new Map();
  }

  take(id, seq) {
    received.add(1);
    if (this.lastSeq !== null && seq !== this.lastSeq + 1) {
      this.disorder += 1;
      outOfOrder.add(1);
    }
    this.lastSeq = seq;
    this.arrivals.set(id, Date.now());
    this.measure(id);
  }

  /** The answer to the POST may come before the message or after it. */
  acknowledged(id, sentAt) {
    this.sent.set(id, sentAt);
    this.measure(id);
  }

  measure(id) {
    if (this.sent.has(id) && this.arrivals.has(id)) {
      delivery.add(this.arrivals.get(id) - this.sent.get(id));
    }
  }

  missing() {
    return [...this.sent.keys()].filter((id) => !this.arrivals.has(id)).length;
  }
}

/** A STOMP 1.2 client of one subscription. `connected` and `subscribe()` tell whether the server agreed. */
class StompConnection {
  constructor(token, onMessage) {
    this.onMessage = onMessage;
    this.rest = '';
    this.socket = new WebSocket(WS_URL, ['v12.stomp']);
    this.connected = new Promise((resolve) => {
      this.settleConnected = resolve;
    });
    this.subscribed = new Promise((resolve) => {
      this.settleSubscribed = resolve;
    });
    const host = WS_URL.split('/')[2];
    const login = { 'accept-version': '1.2', host, 'heart-beat': '0,0', Authorization: `Bearer ${token}` };
    this.socket.onopen = () => this.write('CONNECT', login);
    this.socket.onmessage = (event) => this.read(event.data);
    this.socket.onerror = (event) => this.broken(`WebSocket error: ${event.error}`);
    this.socket.onclose = () => this.settle(false);
  }

  subscribe(conversationId) {
    this.write('SUBSCRIBE', { id: '0', destination: `/topic/conversation.${conversationId}`, receipt: 'subscribed' });
    return this.subscribed;
  }

  close() {
    if (this.socket.readyState === 1) {
      this.write('DISCONNECT', {});
      this.socket.close();
    }
  }

  write(command, headers) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    this.socket.send(`${command}\n${lines.join('')}\n\0`);
  }

  /** A WebSocket message may hold several frames or a part of one; the JSON in their bodies has no NUL. */
  read(data) {
    const parts = (this.rest + data).split('\0');
    this.rest = parts.pop();
    parts.forEach((part) => this.handle(part.replace(/^[\r\n]+/, '')));
  }

  handle(frame) {
    const [head, body] = split(frame, '\n\n');
    const [command, ...lines] = head.split('\n');
    const headers = Object.fromEntries(lines.map((line) => split(line, ':')).reverse());
    if (command === 'CONNECTED') {
      this.settleConnected(true);
    } else if (command === 'RECEIPT' && headers['receipt-id'] === 'subscribed') {
      this.settleSubscribed(true);
    } else if (command === 'MESSAGE' && headers.event === 'message.created') {
      const message = JSON.parse(body);
      this.onMessage(message.id, message.seq);
    } else if (command === 'ERROR') {
      this.broken(`STOMP error: ${headers.message} ${body}`);
    }
  }

  broken(reason) {
    console.error(reason);
    errors.add(true);
    this.settle(false);
  }

  settle(success) {
    this.settleConnected(success);
    this.settleSubscribed(success);
  }
}

function split(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}
