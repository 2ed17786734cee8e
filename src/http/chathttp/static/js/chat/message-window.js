/**
 * The loaded part of one conversation: a run of messages without a gap, ascending by `seq`.
 *
 * `seq` is the order and `rev` the age of a message's content: the same message may come several times (live frame, replay,
 * page of history) and in any order, and the one with the highest `rev` is its present form.
 */

/**
 * Merge messages that are known to join the run (a page of history next to it, or live frames that continue it).
 *
 * @param {ReadonlyArray<object>} messages the run, ascending by seq
 * @param {ReadonlyArray<object>} incoming messages in any order, repeats allowed
 * @returns {ReadonlyArray<object>} the same array when nothing changed, so that a reader may compare by reference
 */
export function mergeMessages(messages, incoming) {
  const byId = new Map(messages.map((message) => [message.id, message]));
  let changed = false;
  for (const message of incoming) {
    const known = byId.get(message.id);
    if (known && known.rev >= message.rev) continue;
    byId.set(message.id, message);
    changed = true;
  }
  if (!changed) return messages;
  return [...byId.values()].sort((left, right) => left.seq - right.seq);
}

/**
 * Apply one live or replayed message to the run.
 *
 * @returns {{messages: ReadonlyArray<object>, gap: boolean}} `gap` when the message lies beyond the next number: the run
 *   cannot be continued and has to be loaded again. A message older than the run is dropped: its page brings it.
 */
export function applyLive(messages, message) {
  if (messages.length === 0) return { messages: [message], gap: false };
  const first = messages[0].seq;
  const last = messages[messages.length - 1].seq;
  if (message.seq > last + 1) return { messages, gap: true };
  if (message.seq === last + 1) return { messages: [...messages, message], gap: false };
  if (message.seq < first) return { messages, gap: false };
  return { messages: mergeMessages(messages, [message]), gap: false };
}
