/**
 * The scrolled messages of the open conversation: loads older ones as the user nears the top without moving what he reads, stays
 * at the bottom while he is there, and says which messages he has seen.
 */
import { timeline } from '../chat/timeline.js';
import { reconcile, setText } from './dom.js';
import { dayOf } from './format.js';
import { createRow } from './message-row.js';

/** As near to the bottom as this counts as at it, px. */
const BOTTOM_PX = 40;
/** Older messages are asked for when the top is this near, px. */
const TOP_PX = 400;

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, actions: object}} options `actions` as in message-row.js
 */
export function messageList(refs, { client, actions }) {
  const { scroll, list, history, historyRetry, toBottom, toBottomText } = refs;
  let shownId = null; // the conversation whose rows are in the list
  let settled = false; // its first page has been scrolled into place
  let following = true; // the user is at the bottom
  let seenSeq = 0; // the newest message that was there when he was last at the bottom
  let entries = 0; // rows of the user's own unsent messages, to notice a new one

  const open = () => client.store.getState().conversations[shownId];
  const create = (row) => createRow(row, actions);

  function render(state) {
    const conversation = state.conversations[state.openId];
    if (!conversation) return;
    if (shownId !== conversation.id) restart(conversation.id);
    const outgoing = client.outbox.of(conversation.id);
    const rows = conversation.loaded
      ? timeline(conversation, outgoing, { myId: client.me.id, unreadFrom: state.unreadFrom, dayOf })
      : timeline({ ...conversation, messages: [] }, outgoing, { myId: client.me.id, unreadFrom: null, dayOf });

    const anchor = following ? null : firstVisible();
    reconcile(list, rows, { create });
    showHistory(conversation);
    const typedNew = outgoing.length > entries;
    entries = outgoing.length;
    if (conversation.loaded && !settled) settle();
    else if (following || typedNew) scrollToBottom();
    else if (anchor) scroll.scrollTop += anchor.element.offsetTop - anchor.top;
    scrolled();
  }

  function restart(id) {
    shownId = id;
    settled = false;
    following = true;
    seenSeq = 0;
    entries = 0;
    reconcile(list, [], { create });
  }

  /** First sight: the line above the unread messages if there is one, else the bottom. */
  function settle() {
    settled = true;
    const line = list.querySelector('.unread-separator');
    if (line) scroll.scrollTop = line.offsetTop - scroll.clientHeight / 4;
    else scrollToBottom();
  }

  function firstVisible() {
    for (const child of list.children) {
      // A separator may get another place when older messages come.
      const isMessage = child.classList.contains('message');
      if (isMessage && child.offsetTop + child.offsetHeight > scroll.scrollTop) return { element: child, top: child.offsetTop };
    }
    return null;
  }

  function scrollToBottom() {
    scroll.scrollTop = scroll.scrollHeight;
  }

  function showHistory(conversation) {
    const { loaded, loading, complete, loadFailed, messages } = conversation;
    let text = '';
    if (loading) text = 'Loading messages…';
    else if (loadFailed) text = 'The messages could not be loaded.';
    else if (loaded && complete) text = messages.length === 0 ? 'No messages yet. Say hello!' : 'This is the beginning.';
    setText(history, text);
    historyRetry.hidden = !loadFailed;
    scroll.setAttribute('aria-busy', String(Boolean(loading)));
  }

  /** After every scroll and every rendering. */
  function scrolled() {
    const conversation = open();
    if (!conversation?.loaded || !settled) return;
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < BOTTOM_PX;
    if (following) seenSeq = conversation.lastSeq;
    const below = Math.max(0, conversation.lastSeq - Math.max(seenSeq, lastVisibleSeq()));
    toBottom.hidden = following;
    setText(toBottomText, below > 0 ? String(below) : '');
    toBottom.setAttribute('aria-label', below > 0 ? `To the latest, ${below} new` : 'To the latest');
    if (scroll.scrollTop < TOP_PX && !conversation.loadFailed) client.loadOlder(shownId);
    markSeen();
  }

  /** The newest message of which the end is in view. */
  function lastVisibleSeq() {
    const bottom = scroll.scrollTop + scroll.clientHeight + BOTTOM_PX;
    for (let child = list.lastElementChild; child; child = child.previousElementSibling) {
      if (child.dataset.seq && child.offsetTop + child.offsetHeight <= bottom) return Number(child.dataset.seq);
    }
    return 0;
  }

  function markSeen() {
    if (!settled || document.visibilityState !== 'visible' || !document.hasFocus() || scroll.clientHeight === 0) return;
    const seq = lastVisibleSeq();
    if (seq > 0) client.read(shownId, seq);
  }

  scroll.addEventListener('scroll', scrolled, { passive: true });
  window.addEventListener('focus', scrolled);
  document.addEventListener('visibilitychange', scrolled);
  toBottom.addEventListener('click', () => {
    scrollToBottom();
    refs.draft.focus();
  });
  historyRetry.addEventListener('click', () => {
    const conversation = open();
    if (conversation.loaded) client.loadOlder(shownId);
    else client.loadLatest(shownId);
  });
  // The keyboard of a phone, a taller draft or a turned screen must not hide the last message.
  new ResizeObserver(() => {
    if (following) scrollToBottom();
    scrolled();
  }).observe(scroll);

  /** Show a message that is loaded in the middle, and have it read out. */
  function reveal(seq) {
    const node = list.querySelector(`[data-seq="${seq}"]`);
    if (!node) return;
    following = false;
    node.tabIndex = -1;
    node.scrollIntoView({ block: 'center' });
    node.focus({ preventScroll: true });
  }

  return { render, reveal };
}
