/** Which destinations a state wants subscribed, and from where each resumes. Pure. */
import { sortedConversations } from './selectors.js';

/**
 * Conversations with the latest activity that are followed live: their messages count as delivered as they arrive, and their
 * previews and unread counts need no request. The others are heard of on the notification queue. Two subscriptions each, of the
 * 100 that the server allows a connection.
 */
export const LIVE_CONVERSATIONS = 20;
/** Undelivered messages up to this number are fetched by the subscription itself, which marks them as delivered. */
const CATCH_UP = 100;

export const NOTIFICATIONS = '/user/queue/notification';
export const ERRORS = '/user/queue/errors';

/**
 * @returns {Array<{destination: string, kind: 'notification' | 'error' | 'message' | 'read' | 'typing' | 'presence',
 *   conversationId?: string}>}
 */
export function wantedTopics(state) {
  const topics = [
    { destination: ERRORS, kind: 'error' },
    { destination: NOTIFICATIONS, kind: 'notification' },
  ];
  const live = sortedConversations(state)
    .slice(0, LIVE_CONVERSATIONS)
    .map((conversation) => conversation.id);
  if (state.openId !== null && !live.includes(state.openId)) live.push(state.openId);
  for (const id of live) {
    topics.push({ destination: `/topic/conversation.${id}`, kind: 'message', conversationId: id });
    topics.push({ destination: `/topic/conversation.${id}.read`, kind: 'read', conversationId: id });
  }
  if (state.openId !== null) {
    const topic = `/topic/conversation.${state.openId}`;
    topics.push({ destination: `${topic}.typing`, kind: 'typing', conversationId: state.openId });
    topics.push({ destination: `${topic}.presence`, kind: 'presence', conversationId: state.openId });
  }
  return topics;
}

/**
 * Where the subscription to a conversation's messages starts.
 *
 * With messages loaded: after the last change the copy has (`last-rev`). With none, there is no copy to mend, and a few messages
 * that never reached any of the user's devices are asked for by number (`last-seq`), so that their sender sees them delivered.
 */
export function resumeHeaders(conversation, myId) {
  const mine = conversation.participants.find((participant) => participant.userId === myId);
  const undelivered = mine ? conversation.lastSeq - mine.lastDeliveredSeq : 0;
  const copied = conversation.loaded || conversation.loading;
  if (!copied && undelivered > 0 && undelivered <= CATCH_UP) return { 'last-seq': String(mine.lastDeliveredSeq) };
  return { 'last-rev': String(conversation.rev) };
}
