/** The open conversation: its header, its messages, who types, and the menu of an own message. */
import { conversationTitle, isOtherOnline, others, participantName, typingText } from '../chat/selectors.js';
import { ApiError } from '../net/api.js';
import { composer } from './composer.js';
import { openDetails } from './details-dialog.js';
import { announce, confirmDialog, element, setText, showAvatar, toast } from './dom.js';
import { messageList } from './message-list.js';

const EMOJIS = ['👍', '❤️', '😂', '😮', '😢', '🎉'];

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, onClose: () => void}} options
 */
export function conversationPane(refs, { client, onClose }) {
  const open = () => {
    const state = client.store.getState();
    return state.conversations[state.openId];
  };
  const writer = composer(refs, { client, participants: () => open()?.participants ?? [] });
  const messages = messageList(refs, {
    client,
    actions: {
      onMenu: showMenu,
      onReact: react,
      participants: () => open()?.participants ?? [],
      me: client.me,
      api: client.api,
      onRetry: (id) => client.outbox.retry(id),
      onDiscard: (id) => client.outbox.discard(id),
    },
  });
  const menu = refs.messageMenu;
  let chosen = null; // the message whose menu is open
  let announced = null; // {id, seq} of the last message that was read out

  function showMenu({ message, mine }, button) {
    chosen = message;
    refs.menuEdit.hidden = !mine;
    refs.menuDelete.hidden = !mine;
    menu.showPopover();
    const box = button.getBoundingClientRect();
    menu.style.top = `${Math.min(box.bottom, innerHeight - menu.offsetHeight - 8)}px`;
    menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - menu.offsetWidth - 8))}px`;
    refs.menuReactions.firstElementChild.focus();
  }

  async function react({ id, reactions }, emoji) {
    const given = reactions.some((each) => each.emoji === emoji && each.userIds.includes(client.me.id));
    try {
      await client.api.setReaction(id, emoji, !given);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(`The reaction was not changed. ${error.message}`);
    }
  }

  for (const emoji of EMOJIS) {
    const button = element('button', { type: 'button', text: emoji, ariaLabel: `React with ${emoji}` });
    button.addEventListener('click', () => {
      menu.hidePopover();
      void react(chosen, emoji);
    });
    refs.menuReactions.append(button);
  }

  refs.menuReply.addEventListener('click', () => {
    menu.hidePopover();
    writer.reply(chosen);
  });

  refs.details.addEventListener('click', () => openDetails({ client, conversationId: open().id }));

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

  function render(state) {
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
  }

  return { render, reveal: messages.reveal };
}
