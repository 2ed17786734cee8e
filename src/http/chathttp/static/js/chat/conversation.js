/**
 * One conversation as the client keeps it: what the server said of it, the loaded run of messages, and who types.
 *
 * Three numbers are kept apart:
 *   `metaRev`  the `rev` of the last whole Conversation the server gave (members, name);
 *   `rev`      how far the copy of its messages is complete, which is where a subscription resumes (`last-rev`);
 *   `lastSeq`  the highest message number heard of.
 * None of them ever falls.
 */
import { applyLive, mergeMessages } from './message-window.js';

/** @param {object} remote a Conversation of the REST API */
export function fromServer(remote) {
  return {
    ...described(remote),
    participants: remote.participants,
    lastSeq: remote.lastSeq,
    lastMessage: remote.lastMessage ?? null,
    rev: remote.rev,
    metaRev: remote.rev,
    messages: [],
    loaded: false,
    loading: null,
    complete: false,
    loadFailed: false,
    typing: [],
    online: [],
  };
}

function described({ id, type, name, avatarUrl, createdAt }) {
  return { id, type, name, avatarUrl, createdAt };
}

/** Merge a newer reading of the same conversation; an older one only contributes what may be ahead (marks, last message). */
export function mergeServer(conversation, remote) {
  const newer = remote.rev >= conversation.metaRev;
  const base = newer ? remote.participants : conversation.participants;
  const other = newer ? conversation.participants : remote.participants;
  return {
    ...conversation,
    ...(newer ? described(remote) : {}),
    participants: mergeMarks(base, other),
    lastSeq: Math.max(conversation.lastSeq, remote.lastSeq),
    lastMessage: laterMessage(conversation.lastMessage, remote.lastMessage ?? null),
    // With messages loaded the copy is only as complete as what arrived on the topic.
    rev: conversation.loaded || conversation.loading ? conversation.rev : Math.max(conversation.rev, remote.rev),
    metaRev: Math.max(conversation.metaRev, remote.rev),
  };
}

function mergeMarks(base, other) {
  const known = new Map(other.map((participant) => [participant.userId, participant]));
  return base.map((participant) => raiseMarks(participant, known.get(participant.userId)));
}

function raiseMarks(participant, marks) {
  if (!marks) return participant;
  const lastReadSeq = Math.max(participant.lastReadSeq, marks.lastReadSeq);
  const lastDeliveredSeq = Math.max(participant.lastDeliveredSeq, marks.lastDeliveredSeq, lastReadSeq);
  if (lastReadSeq === participant.lastReadSeq && lastDeliveredSeq === participant.lastDeliveredSeq) return participant;
  return { ...participant, lastReadSeq, lastDeliveredSeq };
}

function laterMessage(current, candidate) {
  if (!candidate) return current;
  if (!current || candidate.seq > current.seq) return candidate;
  return candidate.seq === current.seq && candidate.rev > current.rev ? candidate : current;
}

/**
 * Apply a MESSAGE frame of the conversation's topic.
 *
 * A frame that leaves a gap, or the first of a truncated replay, unloads the run; whoever shows it loads it again.
 *
 * @param {{rev: number, truncated: boolean, message: object}} frame
 */
export function applyFrame(conversation, { rev, truncated, message }) {
  const next = {
    ...conversation,
    rev: Math.max(conversation.rev, rev),
    lastSeq: Math.max(conversation.lastSeq, message.seq),
    lastMessage: laterMessage(conversation.lastMessage, message),
    typing: conversation.typing.filter((userId) => userId !== message.senderId),
    // Sending moves the sender's own marks to his message.
    participants: conversation.participants.map((participant) =>
      participant.userId === message.senderId
        ? raiseMarks(participant, { lastReadSeq: message.seq, lastDeliveredSeq: message.seq })
        : participant,
    ),
  };
  if (truncated && conversation.loaded) return unload(next);
  const waiting = waitForPage(next, message, truncated);
  if (!conversation.loaded) return waiting;
  const { messages, gap } = applyLive(conversation.messages, message);
  return gap ? unload(next) : { ...waiting, messages };
}

/**
 * A page that is on its way may have been read before this frame's change, and it may bring that very message: what the run has
 * no place for yet is applied after the page.
 */
function waitForPage(conversation, message, truncated) {
  const { loading, loaded, messages } = conversation;
  if (!loading || (loaded && message.seq >= (messages[0]?.seq ?? 0))) return conversation;
  return { ...conversation, loading: { ...loading, frames: truncated ? [message] : [...loading.frames, message] } };
}

/** Apply an event of the conversation's `.read` topic. */
export function applyMarks(conversation, { userId, lastReadSeq, lastDeliveredSeq }) {
  const participants = conversation.participants.map((participant) =>
    participant.userId === userId ? raiseMarks(participant, { lastReadSeq, lastDeliveredSeq }) : participant,
  );
  return { ...conversation, participants };
}

/** Note that a page is on its way. */
export function expectPage(conversation, request) {
  return { ...conversation, loading: { request, frames: [] }, loadFailed: false };
}

/** A page did not come; the reader may ask again. */
export function missPage(conversation, request) {
  return conversation.loading?.request === request ? { ...conversation, loading: null, loadFailed: true } : conversation;
}

/**
 * Apply a page of history, unless the copy it was asked for is gone (unloaded while the page was on its way).
 *
 * @param {{request: string, content: object[], size: number}} page newest first, as the API gives it; fewer than `size` means
 *   that the oldest message is reached
 */
export function applyPage(conversation, { request, content, size }) {
  if (conversation.loading?.request !== request) return conversation;
  let messages = mergeMessages(conversation.messages, content);
  for (const message of conversation.loading.frames) {
    const applied = applyLive(messages, message);
    if (applied.gap) return unload(conversation);
    messages = applied.messages;
  }
  return {
    ...conversation,
    messages,
    lastSeq: content.reduce((highest, message) => Math.max(highest, message.seq), conversation.lastSeq),
    loaded: true,
    loading: null,
    loadFailed: false,
    complete: conversation.complete || content.length < size,
  };
}

/** Forget the loaded messages; `rev` stays, since what lies before it will be loaded as it is now. */
export function unload(conversation) {
  return { ...conversation, messages: [], loaded: false, loading: null, complete: false, loadFailed: false };
}

/** Forget everything that was counted: the server's history is not the one this copy was made from (`CONFLICT`). */
export function restart(conversation, remote) {
  return { ...fromServer(remote), typing: conversation.typing, online: conversation.online };
}
