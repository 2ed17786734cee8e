/** What must hold after all rounds, of the clients' raw records and the stored history. */

const MOST_FAULTS = 20;

/**
 * Messages that were committed before a kill and got their receipt only on a later connection: that many times a kill fell
 * between the two. The database's clock is this machine's, so its timestamp tells on which side of the kill the commit was.
 */
export function committedUnreceipted(clients, stored) {
  const receipts = new Map(clients.flatMap((client) => [...client.receipts]));
  return stored.filter(({ clientMessageId, timestamp }) => Date.parse(timestamp) < (receipts.get(clientMessageId)?.repeatedAfter ?? 0)).length;
}

/**
 * @param {import('./client.mjs').LoadedClient[]} clients
 * @param {object[]} stored the conversation's messages as REST gives them, oldest first
 * @returns {string[]} what does not hold, empty when all does
 */
export function faults(clients, stored) {
  const found = [];
  const check = (holds, text) => {
    if (!holds && found.length < MOST_FAULTS) found.push(text);
  };

  stored.forEach((message, index) => check(message.seq === index + 1, `stored ${index + 1} has seq ${message.seq}`));
  const byKey = new Map();
  for (const message of stored) {
    const { clientMessageId: key } = message;
    check(!byKey.has(key), `${key} is stored twice, as ${byKey.get(key)?.seq} and ${message.seq}`);
    check(message.text === `text of ${key}`, `${key} has text ${message.text}`);
    byKey.set(key, message);
  }

  for (const client of clients) {
    const { name, created, receipts, received, complaints } = client;
    for (const complaint of complaints) check(false, `${name}: ${complaint}`);
    check(receipts.size === created, `${name} made ${created} messages and has ${receipts.size} receipts`);
    for (const [key, { id, seq }] of receipts) {
      const message = byKey.get(key);
      check(message?.id === id && message?.seq === seq, `${key} was acknowledged as ${seq}, stored is ${message?.seq}`);
    }
    let last = 0;
    for (let number = 1; number <= created; number += 1) {
      const seq = byKey.get(`${name}-${number}`)?.seq ?? 0;
      check(seq > last, `${name}-${number} has seq ${seq}, the one before ${last}`);
      last = seq;
    }
    check(received.length === stored.length, `${name} received ${received.length} of ${stored.length}`);
    received.forEach((message, index) => {
      check(message.seq === index + 1, `${name} received seq ${message.seq} at place ${index + 1}`);
      check(message.id === stored[index]?.id, `${name} received ${message.id} at ${index + 1}, stored is ${stored[index]?.id}`);
    });
  }
  check(byKey.size === clients.reduce((sum, { created }) => sum + created, 0), 'a stored message was never sent');
  return found;
}
