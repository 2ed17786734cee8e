/**
 * Two loaded clients in one conversation, driven by the test that kills the server. Reads one JSON command a line on stdin and
 * answers each with one line:
 *   {"command": "flow", "url": …, "wsUrl": …}   once both have receipts on a connection to that server: {"flowing": true};
 *                                               false, with the clients' states, when that does not come to pass
 *   {"command": "finish"}                       once nothing is under way any more: the report, all faults found
 */
import readline from 'node:readline';
import { LoadedClient } from './client.mjs';
import { committedUnreceipted, faults } from './verdict.mjs';

/** After a restart, and for the last messages; what takes longer is lost, ms. */
const PATIENCE_MS = 20_000;
const PASSWORD = 'Passw0rd!';
let target = null;
let clients = [];
let conversationId = null;

async function rest(method, path, { token, body } = {}) {
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(target.url + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function signIn(name) {
  const { accessToken: token } = await rest('POST', '/auth/login', { body: { email: `${name}@example.com`, password: PASSWORD } });
  return { name, token, userId: (await rest('GET', '/api/users/me', { token })).id };
}

async function start() {
  const users = await Promise.all(['alice', 'bob'].map(signIn));
  const body = { type: 'GROUP', name: 'Kill rounds', participantIds: [users[1].userId] };
  const { id, rev } = await rest('POST', '/api/conversations', { token: users[0].token, body });
  conversationId = id;
  clients = users.map((user) => new LoadedClient({ ...user, conversationId, rev, wsUrl: () => target.wsUrl }));
  for (const client of clients) client.client.activate();
  return users;
}

/** Whether the condition comes to hold in time, looked at after whatever the clients hear. */
function reached(condition) {
  return new Promise((resolve) => {
    const end = (isReached) => {
      clearTimeout(timer);
      for (const client of clients) client.onProgress = () => {};
      resolve(isReached);
    };
    const look = () => condition() && end(true);
    const timer = setTimeout(end, PATIENCE_MS, false);
    for (const client of clients) client.onProgress = look;
    look();
  });
}

async function history(token) {
  const messages = [];
  for (;;) {
    const afterSeq = messages.at(-1)?.seq ?? 0;
    const page = await rest('GET', `/api/messages?conversationId=${conversationId}&afterSeq=${afterSeq}&size=200`, { token });
    messages.push(...page.content);
    if (page.content.length === 0) return messages;
  }
}

async function report(users) {
  for (const client of clients) client.isSending = false;
  await reached(() => clients.every(({ unacknowledged }) => unacknowledged.size === 0));
  const stored = await history(users[0].token);
  await reached(() => clients.every(({ received }) => (received.at(-1)?.seq ?? 0) >= stored.length));
  return {
    messages: stored.length,
    connections: clients.map(({ connection }) => connection),
    committedUnreceipted: committedUnreceipted(clients, stored),
    faults: faults(clients, stored),
    clients: clients.map((client) => client.state),
  };
}

let users = null;
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  let answer;
  if (command === 'flow') {
    target = rest;
    users ??= await start();
    const flowing = await reached(() => clients.every(({ acknowledgedHere }) => acknowledgedHere > 0));
    answer = { flowing, clients: flowing ? [] : clients.map((client) => client.state) };
  } else {
    answer = await report(users);
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
