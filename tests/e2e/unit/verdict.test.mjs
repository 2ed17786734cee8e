import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committedUnreceipted, faults } from '../kill/verdict.mjs';

/** A flawless record of two clients with two messages each, in the order a-1, b-1, a-2, b-2. */
function record() {
  const stored = ['a-1', 'b-1', 'a-2', 'b-2'].map((key, index) => ({
    id: `id ${key}`,
    seq: index + 1,
    clientMessageId: key,
    text: `text of ${key}`,
  }));
  const clients = ['a', 'b'].map((name) => ({
    name,
    created: 2,
    receipts: new Map(stored.filter((m) => m.clientMessageId.startsWith(name)).map(({ clientMessageId, id, seq }) => [clientMessageId, { id, seq }])),
    received: [...stored],
    complaints: [],
  }));
  return { clients, stored };
}

function faultsAfter(damage) {
  const { clients, stored } = record();
  damage(clients, stored);
  return faults(clients, stored);
}

test('a flawless record has no fault', () => {
  assert.deepEqual(faultsAfter(() => {}), []);
});

test('a commit without its receipt is one that is older than the close after which it was repeated', () => {
  const { clients, stored } = record();
  stored.forEach((message, index) => Object.assign(message, { timestamp: `2026-01-01T00:00:0${index}.000Z` }));
  const repeated = (client, key, time) => Object.assign(client.receipts.get(key), { repeatedAfter: Date.parse(time) });
  assert.equal(committedUnreceipted(clients, stored), 0);
  repeated(clients[0], 'a-2', '2026-01-01T00:00:01.000Z'); // committed by the repetition
  repeated(clients[1], 'b-1', '2026-01-01T00:00:01.500Z');
  assert.equal(committedUnreceipted(clients, stored), 1);
});

const DAMAGES = {
  'an acknowledged message is lost': (_, stored) => stored.pop(),
  'a message is stored twice': (_, stored) => stored.push({ ...stored[0], id: 'again', seq: 5 }),
  'a number is missing': (_, stored) => Object.assign(stored[3], { seq: 5 }),
  'a receipt names another number': (clients) => clients[0].receipts.get('a-1').seq++,
  'a receipt names another message': (clients) => Object.assign(clients[0].receipts.get('a-1'), { id: 'other' }),
  'a receipt never came': (clients) => clients[0].receipts.delete('a-1'),
  'one sender\'s messages changed places': (_, stored) => {
    [stored[0].clientMessageId, stored[2].clientMessageId] = ['a-2', 'a-1'];
    [stored[0].text, stored[2].text] = ['text of a-2', 'text of a-1'];
  },
  'a text is another\'s': (_, stored) => Object.assign(stored[0], { text: 'text of b-1' }),
  'a client did not receive a message': (clients) => clients[0].received.splice(1, 1),
  'a client received a message twice': (clients) => clients[1].received.splice(1, 0, clients[1].received[1]),
  'a client received in another order': (clients) => clients[1].received.reverse(),
  'a stored message was never sent': (_, stored) => stored.push({ id: 'x', seq: 5, clientMessageId: 'c-1', text: 'text of c-1' }),
  'a client complains': (clients) => clients[0].complaints.push('ERROR'),
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(`found: ${name}`, () => assert.notDeepEqual(faultsAfter(damage), []));
}
