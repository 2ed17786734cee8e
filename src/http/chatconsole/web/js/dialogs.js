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

/** What may be done to the node as a whole. */
export async function openActions(node, act) {
  const named = Object.keys(NAMES).filter((name) => node.actions.includes(name));
  const level = element('select', { id: 'log-value' }, ...LEVELS.map((value) => element('option', { value, text: value })));
  const logger = element('input', { id: 'log-target', placeholder: 'all', spellcheck: 'false', autocomplete: 'off' });
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', { id: 'dialog-title', text: 'Actions on this node' }),
    ...named.map((name) =>
      element(
        'p',
        { class: 'action' },
        name === 'log-level' ? element('label', { for: 'log-target', text: 'Logger' }) : null,
        name === 'log-level' ? logger : null,
        name === 'log-level' ? element('label', { for: 'log-value', text: 'Level' }) : null,
        name === 'log-level' ? level : null,
        element('button', { value: name, text: NAMES[name] }),
      ),
    ),
    element('p', { class: 'hint', text: 'Nothing is done before you have confirmed it. All of it is logged.' }),
    choices(),
  );
  const action = await show(element('dialog', { 'aria-labelledby': 'dialog-title' }, form));
  if (!named.includes(action)) return;
  const target = action === 'log-level' ? logger.value.trim() : '';
  await act({ action, target, value: action === 'log-level' ? level.value : '' });
}

const KEYS = [
  ['/', 'filter'],
  ['Esc', 'back to the list; close the details'],
  ['↑ ↓ j k', 'up and down; PageUp, PageDown, Home, End'],
  ['← →', 'fold and unfold a branch'],
  ['Enter', 'a task’s stack; the details of a row'],
  ['s', 'sort by the next column'],
  ['r', 'reverse the order'],
  ['f', 'follow the conversation of a row'],
  ['x', 'disconnect a socket; restart an actor'],
  ['p', 'pause and go on'],
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
