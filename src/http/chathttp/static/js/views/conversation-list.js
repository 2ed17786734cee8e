/** The list of conversations: latest activity first, last message, unread count. */
import { conversationTitle, isOtherOnline, lastActivity, others, previewText, sortedConversations, unreadCount } from '../chat/selectors.js';
import { ApiError } from '../net/api.js';
import { instantiate, reconcile, setText, showAvatar, toast } from './dom.js';
import { shortTime } from './format.js';

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, onOpen: (id: string) => void}} options
 */
export function conversationList(refs, { client, onOpen }) {
  const { conversationList: list, listNote: note, listMore: more } = refs;

  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      await client.loadMoreConversations();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.message);
    } finally {
      more.disabled = false;
    }
  });

  // Up and down move between the conversations, as in any list.
  list.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...list.querySelectorAll('button')];
    buttons[buttons.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });

  function create({ conversation }) {
    const { element, refs: parts } = instantiate('conversation-item');
    const button = element.firstElementChild;
    button.dataset.conversation = conversation.id;
    button.addEventListener('click', () => onOpen(conversation.id));
    let shown = null;

    function update({ conversation: known, isOpen, title, unread, today }) {
      if (shown && shown.known === known && shown.isOpen === isOpen && shown.today === today) return;
      shown = { known, isOpen, today };
      const activity = new Date(lastActivity(known));
      showAvatar(parts.avatar, {
        id: known.type === 'DIRECT' ? (others(known, client.me.id)[0]?.userId ?? known.id) : known.id,
        name: title,
        url: known.avatarUrl,
        online: isOtherOnline(known, client.me.id),
      });
      setText(parts.title, title);
      setText(parts.time, shortTime(activity));
      parts.time.dateTime = activity.toISOString();
      setText(parts.preview, previewText(known, client.me.id));
      parts.badge.hidden = unread === 0;
      setText(parts.count, unread > 99 ? '99+' : String(unread));
      button.classList.toggle('has-unread', unread > 0);
      if (isOpen) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }

    return { element, update };
  }

  return function render(state) {
    const today = new Date().toDateString();
    const rows = sortedConversations(state).map((conversation) => ({
      key: conversation.id,
      conversation,
      isOpen: conversation.id === state.openId,
      title: conversationTitle(conversation, client.me.id),
      unread: unreadCount(conversation, client.me.id),
      today,
    }));
    reconcile(list, rows, { create });
    more.hidden = state.nextPage === null;
    if (!state.listed) setText(note, state.connection === 'offline' ? '' : 'Loading…');
    else setText(note, rows.length === 0 ? 'No conversations yet. Start one with the pencil above.' : '');
  };
}
