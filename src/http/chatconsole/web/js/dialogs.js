/** Dialogs: an action before it is done, the actions of the node, the keys. */

import { element, toast } from './dom.js';

function show(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

function choices(...buttons) {
  const cancel = element('button', { value: '', formnovalidate: true, text: 'Cancel' });
  return element('p', { class: 'choices' }, cancel, ...buttons);
}

/**
 * Ask the node what an action would do, then the person whether it is to be done, then the node to do it.
 *
 * @param {import('./link.js').Link} link
 * @param {{action: string, target: string, value: string}} request
 */
export async function confirmAction(link, request) {
  try {
    const { nonce, says } = await link.ask({ op: 'act', ...request });
    const text = `This would ${says}.`;
    const form = element(
      'form',
      { method: 'dialog' },
      element('h2', { id: 'dialog-title', text: `${request.action} ${request.target}`.trim() }),
      element('p', { id: 'dialog-text', text }),
      choices(element('button', { value: 'yes', class: 'danger', text: 'Do it' })),
    );
    const attributes = { role: 'alertdialog', 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-text' };
    if ((await show(element('dialog', attributes, form))) !== 'yes') return;
    toast((await link.ask({ op: 'confirm', nonce })).says);
  } catch (error) {
    toast(`Refused: ${error.message}`);
  }
}

const LEVELS = ['debug', 'info', 'warning', 'error'];
const NAMES = { drain: 'Drain the node', snapshot: 'Write a snapshot to a file', 'log-level': 'Change a log level' };

/**
 * What may be done to the node as a whole, and to what is active in the view.
 *
 * @param {object} node
 * @param {Array<{action: string, target: string, label: string}>} offers
 * @param {(request: {action: string, target: string, value: string}) => Promise<void>} act
 */
export async function openActions(node, offers, act) {
  if (document.querySelector('dialog[open]')) return;
  const level = element('select', { id: 'log-value' }, ...LEVELS.map((value) => element('option', { value, text: value })));
  const logger = element('input', { id: 'log-target', placeholder: 'all', spellcheck: 'false', autocomplete: 'off' });
  const about = [
    element('label', { for: 'log-target', text: 'Logger' }),
    logger,
    element('label', { for: 'log-value', text: 'Level' }),
    level,
  ];
  const everywhere = Object.keys(NAMES).filter((action) => node.actions.includes(action));
  const all = [...offers, ...everywhere.map((action) => ({ action, target: '', label: NAMES[action] }))];
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', { id: 'dialog-title', text: 'Actions on this node' }),
    ...all.map(({ action, label }, index) =>
      element('p', { class: 'action' }, ...(action === 'log-level' ? about : []), element('button', { value: String(index), text: label })),
    ),
    element('p', { class: 'hint', text: 'Nothing is done before you have confirmed it. All of it is logged.' }),
    choices(),
  );
  const chosen = all[(await show(element('dialog', { 'aria-labelledby': 'dialog-title' }, form))) || -1];
  if (!chosen) return;
  const { action, target } = chosen;
  if (action === 'log-level') await act({ action, target: logger.value.trim(), value: level.value });
  else await act({ action, target, value: '' });
}

const KEYS = [
  ['/', 'filter'],
  ['Esc', 'back to the list; close the details'],
  ['↑ ↓ k j', 'up and down; PageUp, PageDown, Home, End, g, G'],
  ['← → h l', 'fold and unfold a branch'],
  ['Enter', 'a task’s stack, a nursery’s part of the tree, all about a row'],
  ['z  Z', 'only what is below this task; all again'],
  ['s  S', 'sort by the next column; the other way'],
  ['f  x', 'follow the messages of a conversation; stop'],
  ['u', 'users’ ids; the node’s log tells it'],
  ['a', 'actions, each confirmed'],
  ['Space', 'pause and go on'],
  ['?', 'this help'],
];

export function showKeys(views) {
  if (document.querySelector('dialog[open]')) return;
  const rows = [...views.map(({ key, title }) => [key, title]), ...KEYS];
  const parts = rows.flatMap(([key, does]) => [element('dt', {}, element('kbd', { text: key })), element('dd', { text: does })]);
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', { id: 'dialog-title', text: 'Keys' }),
    element('dl', { class: 'keys' }, ...parts),
    element('p', { class: 'choices' }, element('button', { value: '', text: 'Close' })),
  );
  show(element('dialog', { 'aria-labelledby': 'dialog-title' }, form));
}
