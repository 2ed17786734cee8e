/** The elements of one row of an open conversation: a day, the line above what is unread, or a message. */
import { splitMentions } from '../chat/mentions.js';
import { showAttachments } from './attachment-list.js';
import { element, instantiate, setText } from './dom.js';
import { fullTime, splitLinks, timeOf } from './format.js';

const MARK_LABELS = { pending: 'Waiting to be sent', sent: 'Sent', delivered: 'Delivered', read: 'Read', failed: 'Not sent' };

/**
 * @param {object} row of timeline.js
 * @param {object} actions
 * @param {(row: object, button: HTMLElement) => void} actions.onMenu
 * @param {(message: object, emoji: string) => void} actions.onReact
 * @param {(id: string) => void} actions.onRetry
 * @param {(id: string) => void} actions.onDiscard
 * @param {() => object[]} actions.participants of the open conversation
 * @param {object} actions.me the signed-in User
 * @param {import('../net/api.js').Api} actions.api
 * @returns {{element: HTMLElement, update: (row: object) => void}}
 */
export function createRow(row, actions) {
  if (row.kind === 'day') return separator('day-separator', row.label);
  if (row.kind === 'unread') return separator('unread-separator', 'New messages');
  return messageRow(actions);
}

function separator(className, label) {
  const node = element('li', { className, role: 'separator' });
  node.append(element('span', { text: label }));
  return { element: node, update: () => {} };
}

function messageRow(actions) {
  const { element: node, refs } = instantiate('message-item');
  let current = null;
  let shownText = null;

  refs.more.addEventListener('click', () => actions.onMenu(current, refs.more));
  refs.retry.addEventListener('click', () => actions.onRetry(current.item.clientMessageId));
  refs.discard.addEventListener('click', () => actions.onDiscard(current.item.clientMessageId));

  function update(row) {
    if (current && isSame(current, row)) return;
    current = row;
    const { message, item } = row;
    const deleted = Boolean(message?.deletedAt);
    node.className = ['message', row.mine ? 'mine' : 'theirs', row.startsRun ? 'starts-run' : '', deleted ? 'is-deleted' : '']
      .filter(Boolean)
      .join(' ');
    if (message) Object.assign(node.dataset, { seq: message.seq, messageId: message.id });
    node.dataset.status = row.status ?? '';
    refs.sender.hidden = !(row.senderName && row.startsRun);
    setText(refs.sender, row.senderName ?? '');
    const text = deleted ? 'Message deleted' : textOf(message ?? item);
    if (text !== shownText) showText(refs.text, text, actions);
    shownText = text;
    refs.text.hidden = text === '';
    showAttachments(refs.attachments, deleted ? [] : (message?.attachmentUrls ?? []), actions.api);
    refs.quote.hidden = deleted || !row.quoted;
    setText(refs.quote, row.quoted ? quoteOf(row.quoted) : '');
    showReactions(refs.reactions, deleted ? [] : (message?.reactions ?? []), message, actions);
    refs.edited.hidden = deleted || !message?.editedAt;
    setText(refs.time, timeOf(row.at));
    refs.time.dateTime = row.at.toISOString();
    refs.time.title = fullTime(row.at);
    showMark(refs.mark, row);
    refs.more.hidden = !message || deleted;
    refs.failure.hidden = row.status !== 'failed';
    setText(refs.failureText, row.status === 'failed' ? `Not sent. ${item.error}` : '');
  }

  return { element: node, update };
}

function isSame(left, right) {
  return (
    left.message === right.message &&
    left.item === right.item &&
    left.status === right.status &&
    left.startsRun === right.startsRun &&
    left.quoted === right.quoted &&
    left.readBy.length === right.readBy.length &&
    left.senderName === right.senderName
  );
}

/** Empty for a message whose attachments are shown; what is on its way says how many it bears. */
function textOf({ text, attachmentIds = [] }) {
  if (text || attachmentIds.length === 0) return text;
  return attachmentIds.length === 1 ? '1 attachment' : `${attachmentIds.length} attachments`;
}

function quoteOf({ senderName, text, deletedAt }) {
  return `${senderName}: ${text || (deletedAt ? 'Message deleted' : 'Attachment')}`;
}

function showText(node, text, { participants, me }) {
  const names = participants().map(({ name }) => name);
  const isMine = (mention) => mention.slice(1).toLowerCase() === me.name.toLowerCase();
  node.replaceChildren(
    ...splitLinks(text).flatMap((piece) => {
      if (typeof piece !== 'string') {
        return [element('a', { text: piece.href, href: piece.href, target: '_blank', rel: 'noopener noreferrer' })];
      }
      return splitMentions(piece, names).map((part) =>
        typeof part === 'string'
          ? part
          : element('span', { className: isMine(part.mention) ? 'mention mention-me' : 'mention', text: part.mention }),
      );
    }),
  );
}

/** Buttons that take the user's own back or add it; those that stay keep the focus. */
function showReactions(node, reactions, message, { me, participants, onReact }) {
  node.hidden = reactions.length === 0;
  const names = new Map(participants().map(({ userId, name }) => [userId, name]));
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.emoji : null;
  node.replaceChildren(
    ...reactions.map(({ emoji, count, userIds }) => {
      const button = element('button', { type: 'button', text: `${emoji} ${count}` });
      button.dataset.emoji = emoji;
      button.setAttribute('aria-pressed', String(userIds.includes(me.id)));
      button.title = userIds.map((id) => names.get(id) ?? 'Someone').join(', ');
      button.addEventListener('click', () => onReact(message, emoji));
      const item = element('li');
      item.append(button);
      return item;
    }),
  );
  if (focused) node.querySelector(`[data-emoji="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function showMark(node, { status, readBy }) {
  node.hidden = status === null;
  if (status === null) return;
  const label = status !== 'read' && readBy.length > 0 ? `${MARK_LABELS[status]}, read by ${readBy.join(', ')}` : MARK_LABELS[status];
  node.setAttribute('aria-label', label);
  node.title = label;
  node.className = `mark mark-${status}`;
  node.querySelector('use').setAttribute('href', status === 'read' ? '#icon-delivered' : `#icon-${status}`);
}
