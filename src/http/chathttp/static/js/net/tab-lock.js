/**
 * Mutual exclusion between the tabs of one browser.
 *
 * The Web Locks API does it, where there is one: it exists only in secure contexts, and a phone that opens the client of a laptop
 * by its plain-http address is none. There a lease in localStorage stands in: claimed by writing one's name, held after it was
 * still there a moment later, and void after LEASE_MS, since its owner may have been closed.
 */

/** Longer than any request made under the lock may take (see REQUEST_TIMEOUT_MS in api.js), ms. */
const LEASE_MS = 20_000;
/** Storage writes of other tabs are visible within this time, ms; browsers pass them between processes without a promise. */
const SETTLE_MS = 100;

/**
 * Run `work` while no other tab runs work under the same name, and with what earlier work has stored to be seen.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>} what work returns; its errors pass through and free the lock
 */
export async function withTabLock(name, work) {
  if (navigator.locks) return navigator.locks.request(name, () => settled(work));
  const key = `stackmentor.lease.${name}`;
  const owner = newId();
  while (!(await claim(key, owner))) await pause(SETTLE_MS * (1 + Math.random()));
  try {
    return await work();
  } finally {
    if (read(key)?.owner === owner) localStorage.removeItem(key);
  }
}

/** A Web Lock passes to the next tab faster than a storage write: keep it until the write has arrived. */
async function settled(work) {
  try {
    return await work();
  } finally {
    await pause(SETTLE_MS);
  }
}

async function claim(key, owner) {
  const lease = read(key);
  if (lease && lease.until > Date.now()) return false;
  localStorage.setItem(key, JSON.stringify({ owner, until: Date.now() + LEASE_MS }));
  await pause(SETTLE_MS);
  return read(key)?.owner === owner;
}

function read(key) {
  const text = localStorage.getItem(key);
  return text === null ? null : JSON.parse(text);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @returns {string} a random UUID (version 4), also outside secure contexts, where crypto.randomUUID is missing */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
