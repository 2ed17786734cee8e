/**
 * The rows of an open conversation: day separators, the line above the first unread message, messages in `seq` order, and below
 * them what this device has not sent yet. Pure.
 */
import { markOf, readers } from './selectors.js';

/** Messages of one sender closer than this are shown as one run, ms. */
const RUN_MS = 5 * 60 * 1000;

/**
 * @param {object} conversation as in conversation.js, loaded
 * @param {ReadonlyArray<object>} outgoing the conversation's items of the outbox, in the order typed
 * @param {{myId: string, unreadFrom: number | null, dayOf: (date: Date) => string}} view `dayOf` names a calendar day
 * @returns {Array<object>} rows with a unique `key`: `{kind: 'day', label}`, `{kind: 'unread'}` or `{kind: 'message', …}`. A
 *   message keeps its key from the moment it was typed, so its element stays when it becomes sent.
 */
export function timeline(conversation, outgoing, { myId, unreadFrom, dayOf }) {
  const rows = [];
  let previous = null;

  function append(entry, row) {
    const day = dayOf(entry.at);
    const sameDay = previous !== null && previous.day === day;
    if (!sameDay) rows.push({ key: `day:${day}`, kind: 'day', label: day });
    const unreadHere = unreadFrom !== null && row.seq === unreadFrom;
    if (unreadHere) rows.push({ key: 'unread', kind: 'unread' });
    const sameRun =
      sameDay && !unreadHere && previous.senderId === entry.senderId && entry.at.getTime() - previous.at.getTime() < RUN_MS;
    rows.push({ ...row, kind: 'message', startsRun: !sameRun, at: entry.at });
    previous = { day, ...entry };
  }

  for (const message of conversation.messages) {
    append({ at: new Date(message.timestamp), senderId: message.senderId }, messageRow(conversation, message, myId));
  }
  const lastShown = conversation.messages.at(-1)?.seq ?? 0;
  for (const item of outgoing) {
    if (item.seq !== null && item.seq <= lastShown) continue; // among the messages above, or older than what is loaded
    // A device whose clock is behind must not put its message before what it answers.
    const typed = new Date(item.createdAt);
    const at = previous && previous.at > typed ? previous.at : typed;
    append({ at, senderId: myId }, outgoingRow(conversation, item, myId));
  }
  return rows;
}

function messageRow(conversation, message, myId) {
  const mine = message.senderId === myId;
  return {
    key: message.clientMessageId ? rowKey(message.senderId, message.clientMessageId) : message.id,
    seq: message.seq,
    message,
    mine,
    senderName: conversation.type === 'GROUP' && !mine ? message.senderName : null,
    status: mine && !message.deletedAt ? markOf(conversation, message) : null,
    readBy: mine && conversation.type === 'GROUP' ? readers(conversation, message) : [],
    quoted: quoted(conversation, message.replyTo),
  };
}

function quoted(conversation, replyTo) {
  return replyTo ? (conversation.messages.find((other) => other.id === replyTo) ?? null) : null;
}

function outgoingRow(conversation, item, myId) {
  return {
    key: rowKey(myId, item.clientMessageId),
    seq: null,
    item,
    mine: true,
    senderName: null,
    status: item.status === 'sending' ? 'pending' : item.status,
    readBy: [],
    quoted: quoted(conversation, item.replyTo),
  };
}

function rowKey(senderId, clientMessageId) {
  return `${senderId}:${clientMessageId}`;
}
