/** What the views show, derived from the state. Pure. */

/** @returns {number} messages after the caller's read mark, never below 0 */
export function unreadCount(conversation, myId) {
  const mine = conversation.participants.find((participant) => participant.userId === myId);
  return mine ? Math.max(0, conversation.lastSeq - mine.lastReadSeq) : 0;
}

export function totalUnread(state) {
  return Object.values(state.conversations).reduce((sum, known) => sum + unreadCount(known, state.me.id), 0);
}

/** The last message's time, else the creation's: RFC 3339 in UTC with fixed width, so it sorts as text. */
export function lastActivity(conversation) {
  return conversation.lastMessage?.timestamp ?? conversation.createdAt;
}

/** Latest activity first; equal times by id, so that the order is the same everywhere. */
export function sortedConversations(state) {
  return Object.values(state.conversations).sort(
    (left, right) => compare(lastActivity(right), lastActivity(left)) || compare(right.id, left.id),
  );
}

function compare(left, right) {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

export function others(conversation, myId) {
  return conversation.participants.filter((participant) => participant.userId !== myId);
}

/** The group's name, or the other's in a DIRECT conversation. */
export function conversationTitle(conversation, myId) {
  if (conversation.name) return conversation.name;
  const names = others(conversation, myId).map((participant) => participant.name);
  return names.length > 0 ? names.join(', ') : 'Only you';
}

export function participantName(conversation, userId) {
  return conversation.participants.find((participant) => participant.userId === userId)?.name ?? 'Someone';
}

/**
 * How far a message of the caller got.
 *
 * @returns {'sent' | 'delivered' | 'read'} delivered and read when every other participant's mark has reached it
 */
export function markOf(conversation, message) {
  const rest = others(conversation, message.senderId);
  if (rest.length === 0) return 'sent';
  if (rest.every((participant) => participant.lastReadSeq >= message.seq)) return 'read';
  if (rest.every((participant) => participant.lastDeliveredSeq >= message.seq)) return 'delivered';
  return 'sent';
}

/** Names of those whose read mark has reached the message, its sender left out. */
export function readers(conversation, message) {
  return others(conversation, message.senderId)
    .filter((participant) => participant.lastReadSeq >= message.seq)
    .map((participant) => participant.name);
}

/** @returns {string} for example "Bob is typing…", empty when nobody else types */
export function typingText(conversation, myId) {
  const names = conversation.typing.filter((id) => id !== myId).map((id) => participantName(conversation, id));
  if (names.length === 0) return '';
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return `${names.length} people are typing…`;
}

/** One line for the list: who said what last. */
export function previewText(conversation, myId) {
  const message = conversation.lastMessage;
  if (!message) return 'No messages yet';
  if (message.deletedAt) return 'Message deleted';
  const text = message.text || 'Attachment';
  if (message.senderId === myId) return `You: ${text}`;
  return conversation.type === 'GROUP' ? `${message.senderName}: ${text}` : text;
}

/** The other user of a DIRECT conversation is online. */
export function isOtherOnline(conversation, myId) {
  return conversation.type === 'DIRECT' && others(conversation, myId).some((other) => conversation.online.includes(other.userId));
}
