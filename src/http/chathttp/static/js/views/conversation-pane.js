/** The open conversation: its header, its messages, who types, and the menu of an own message. */
import { conversationTitle, isOtherOnline, others, participantName, typingText } from '../chat/selectors.js';
import { ApiError } from '../net/api.js';
import { composer } from './composer.js';
import { announce, confirmDialog, setText, showAvatar, toast } from './dom.js';
import { messageList } from './message-list.js';

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, onClose: () => void}} options
 */
export function conversationPane(refs, { client, onClose }) {
  const writer = composer(refs, { client });
  const messages = messageList(refs, {
    client,
    actions: {
      onMenu: showMenu,
      onRetry: (id) => client.outbox.retry(id),
      onDiscard: (id) => client.outbox.discard(id),
    },
  });
  const menu = refs.messageMenu;
  let chosen = null; // the message whose menu is open
  let announced = null; // {id, seq} of the last message that was read out

  function showMenu({ message }, button) {
    chosen = message;
    menu.showPopover();
    const box = button.getBoundingClientRect();
    menu.style.top = `${Math.min(box.bottom, innerHeight - menu.offsetHeight - 8)}px`;
    menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - menu.offsetWidth - 8))}px`;
    refs.menuEdit.focus();
  }

  refs.menuEdit.addEventListener('click', () => {
    menu.hidePopover();
    writer.edit(chosen);
  });

  refs.menuDelete.addEventListener('click', async () => {
    menu.hidePopover();
    const { id } = chosen;
    if (!(await confirmDialog('Delete this message for everyone?', 'Delete'))) return;
    try {
      await client.api.deleteMessage(id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(`The message was not deleted. ${error.message}`);
    }
  });

  refs.back.addEventListener('click', onClose);

  function subtitle(conversation) {
    if (conversation.type === 'DIRECT') return isOtherOnline(conversation, client.me.id) ? 'Online' : '';
    const names = others(conversation, client.me.id).map((participant) => participant.name);
    return names.length > 6 ? `${names.length + 1} people` : ['You', ...names].join(', ');
  }

  /** Read out what others write in the open conversation, as it comes. */
  function readOut({ id, lastMessage }) {
    const seq = lastMessage?.seq ?? 0;
    const isNew = announced?.id === id && seq > announced.seq;
    announced = { id, seq };
    if (isNew && lastMessage.senderId !== client.me.id) announce(`${lastMessage.senderName}: ${lastMessage.text}`);
  }

  return function render(state) {
    const conversation = state.conversations[state.openId];
    refs.conversation.hidden = !conversation;
    refs.paneEmpty.hidden = Boolean(conversation);
    refs.root.classList.toggle('has-open', Boolean(conversation));
    writer.show(conversation?.id ?? null);
    if (!conversation) return;
    const title = conversationTitle(conversation, client.me.id);
    const online = isOtherOnline(conversation, client.me.id);
    const faceId = conversation.type === 'DIRECT' ? (others(conversation, client.me.id)[0]?.userId ?? conversation.id) : conversation.id;
    showAvatar(refs.avatar, { id: faceId, name: title, url: conversation.avatarUrl, online });
    setText(refs.title, title);
    setText(refs.subtitle, subtitle(conversation));
    setText(refs.typing, typingText(conversation, client.me.id));
    messages.render(state);
    readOut(conversation);
  };
}
