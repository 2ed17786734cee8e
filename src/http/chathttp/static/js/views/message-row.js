/** The elements of one row of an open conversation: a day, the line above what is unread, or a message. */
import { element, instantiate, setText } from './dom.js';
import { fullTime, splitLinks, timeOf } from './format.js';

const MARK_LABELS = { pending: 'Waiting to be sent', sent: 'Sent', delivered: 'Delivered', read: 'Read', failed: 'Not sent' };

/**
 * @param {object} row of timeline.js
 * @param {{onMenu: (row: object, button: HTMLElement) => void, onRetry: (id: string) => void, onDiscard: (id: string) => void}} actions
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
    if (text !== shownText) showText(refs.text, text);
    shownText = text;
    refs.quote.hidden = deleted || !row.quoted;
    setText(refs.quote, row.quoted ? `${row.quoted.senderName}: ${row.quoted.text || 'Message deleted'}` : '');
    showReactions(refs.reactions, deleted ? [] : (message?.reactions ?? []));
    refs.edited.hidden = deleted || !message?.editedAt;
    setText(refs.time, timeOf(row.at));
    refs.time.dateTime = row.at.toISOString();
    refs.time.title = fullTime(row.at);
    showMark(refs.mark, row);
    refs.more.hidden = !row.mine || !message || deleted;
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

function textOf({ text, attachmentUrls = [] }) {
  if (text) return text;
  return attachmentUrls.length === 1 ? '1 attachment' : `${attachmentUrls.length} attachments`;
}

function showText(node, text) {
  node.replaceChildren(
    ...splitLinks(text).map((piece) =>
      typeof piece === 'string'
        ? piece
        : element('a', { text: piece.href, href: piece.href, target: '_blank', rel: 'noopener noreferrer' }),
    ),
  );
}

function showReactions(node, reactions) {
  node.hidden = reactions.length === 0;
  node.replaceChildren(...reactions.map(({ emoji, count }) => element('li', { text: `${emoji} ${count}` })));
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
