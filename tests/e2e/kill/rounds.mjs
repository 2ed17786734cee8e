/**
 * Loaded clients in one conversation, driven by the test that kills servers. Reads one JSON command a line on stdin and answers
 * each with one line:
 *   {"command": "flow", "servers": [{"url": …, "wsUrl": …}, …], "receipts": …}
 *       Once every client has that many more receipts, on a connection to one of those servers: {"flowing": true}; false, with
 *       the clients' states, when that does not come to pass. The first one starts the clients, one for each of its "users" and
 *       each with "window" messages under way: they begin at one server after the other, and go on to the next at each attempt.
 *   {"command": "finish"}
 *       Once nothing is under way any more: the report, all faults found.
 */
import readline from 'node:readline';
import { LoadedClient } from './client.mjs';
import { committedUnreceipted, faults } from './verdict.mjs';

/** After a restart, and for the last messages; what takes longer is lost, ms. */
const PATIENCE_MS = 20_000;
const PASSWORD = 'Passw0rd!';
let servers = [];
let clients = [];
let conversationId = null;
let reader = null; // token of who reads the history

async function rest(method, path, { token, body } = {}) {
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(servers[0].url + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function signIn(name) {
  const { accessToken: token } = await rest('POST', '/auth/login', { body: { email: `${name}@example.com`, password: PASSWORD } });
  return { token, userId: (await rest('GET', '/api/users/me', { token })).id };
}

async function start({ users, window }) {
  const signedIn = Object.fromEntries(await Promise.all([...new Set(users)].map(async (name) => [name, await signIn(name)])));
  const [owner, ...members] = Object.values(signedIn);
  reader = owner.token;
  const body = { type: 'GROUP', name: 'Kill rounds', participantIds: members.map(({ userId }) => userId) };
  const { id, rev } = await rest('POST', '/api/conversations', { token: owner.token, body });
  conversationId = id;
  clients = users.map((user, index) => {
    let attempt = index;
    const wsUrl = () => servers[attempt++ % servers.length].wsUrl;
    const resumeBy = index % 2 === 0 ? 'last-rev' : 'last-seq';
    return new LoadedClient({ name: `${user}.${index}`, token: signedIn[user].token, conversationId, rev, wsUrl, window, resumeBy });
  });
  for (const client of clients) client.client.activate();
}

async function flow({ receipts }) {
  const wanted = clients.map((client) => client.receipts.size + receipts);
  const flowing = await reached(() =>
    clients.every((client, index) => client.acknowledgedHere > 0 && client.receipts.size >= wanted[index]),
  );
  return { flowing, clients: flowing ? [] : clients.map((client) => client.state) };
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

async function history() {
  const messages = [];
  for (;;) {
    const afterSeq = messages.at(-1)?.seq ?? 0;
    const page = await rest('GET', `/api/messages?conversationId=${conversationId}&afterSeq=${afterSeq}&size=200`, { token: reader });
    messages.push(...page.content);
    if (page.content.length === 0) return messages;
  }
}

async function report() {
  for (const client of clients) client.isSending = false;
  await reached(() => clients.every(({ unacknowledged }) => unacknowledged.size === 0));
  const stored = await history();
  await reached(() => clients.every(({ received }) => (received.at(-1)?.seq ?? 0) >= stored.length));
  return {
    messages: stored.length,
    connections: clients.map(({ connection }) => connection),
    closes: clients.map(({ closes }) => closes),
    refusals: clients.flatMap(({ refusals }) => refusals),
    committedUnreceipted: committedUnreceipted(clients, stored),
    faults: faults(clients, stored),
    clients: clients.map((client) => client.state),
  };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.command === 'flow') {
    servers = command.servers;
    if (clients.length === 0) await start(command);
  }
  const answer = command.command === 'flow' ? await flow(command) : await report();
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
