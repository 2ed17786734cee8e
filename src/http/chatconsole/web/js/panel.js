/** Details beside a view: a stack, an exception, one of many rows. */

import { element, toast } from './dom.js';
import { fullPlace, place } from './format.js';

export class Panel {
  constructor(root) {
    this._root = root;
    this._before = null;
    this._opened = 0;
  }

  /** @param {...(Node | null)} content */
  open(title, ...content) {
    if (this._root.hidden) this._before = document.activeElement;
    const close = element('button', { type: 'button', 'aria-label': 'Close details', text: '✕', onclick: () => this.close() });
    this._root.replaceChildren(element('div', { class: 'panel-head' }, element('h2', { text: title }), close), ...content);
    this._root.hidden = false;
    this._root.focus({ preventScroll: true });
    this._opened += 1;
  }

  close() {
    if (this._root.hidden) return;
    this._root.hidden = true;
    this._opened += 1;
    if (this._before?.isConnected) this._before.focus({ preventScroll: true });
  }

  /** The whole stack of a task, asked for now. */
  async openStack(link, id, name) {
    this.open(`${id} ${name}`, element('p', { class: 'hint', text: 'Asking for the stack…' }));
    const opened = this._opened;
    let stack;
    try {
      ({ stack } = await link.ask({ op: 'stack', task: id }));
    } catch (error) {
      if (this._opened === opened) this.open(`${id} ${name}`, element('p', { text: error.message }));
      return;
    }
    if (this._opened !== opened) return;
    const again = element('button', { type: 'button', text: 'Again', onclick: () => this.openStack(link, id, name) });
    const copy = element('button', { type: 'button', text: 'Copy', onclick: () => copyText(stack.text) });
    this.open(
      `${stack.task} ${stack.name}`,
      element('p', { class: 'panel-tools' }, again, copy),
      element('ol', { class: 'frames', 'aria-label': 'Stack, outermost call first' }, ...stack.frames.map(frameItem)),
    );
  }
}

function placeNode(at) {
  return element('li', { class: 'place', text: place(at), title: fullPlace(at) });
}

function frameItem({ place: at, code, contexts, hidden }) {
  return element(
    'li',
    { class: hidden ? 'is-hidden' : null },
    element('span', { class: 'place', text: place(at), title: fullPlace(at) }),
    element('code', { text: code }),
    ...contexts.map((context) => element('span', { class: 'context', text: context })),
  );
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied.');
  } catch {
    toast('The browser does not let this page copy.');
  }
}

/** An exception with its stack, its group's members and its cause. */
export function failureNode(failure) {
  if (!failure) return null;
  return element(
    'div',
    { class: 'failure' },
    element('p', {}, element('strong', { text: failure.type }), `: ${failure.message}`),
    element('p', { class: 'place', text: `at ${place(failure.where)}`, title: fullPlace(failure.where) }),
    failure.stack.length
      ? element(
          'details',
          {},
          element('summary', { text: `Stack of ${failure.stack.length}` }),
          element('ol', { class: 'stack' }, ...failure.stack.map(placeNode)),
        )
      : null,
    ...failure.inner.map(failureNode),
    failure.cause ? element('div', {}, element('p', { class: 'hint', text: 'caused by' }), failureNode(failure.cause)) : null,
  );
}

/** Names and values, as a description list. */
export function factsNode(facts) {
  const parts = facts.flatMap(([name, value]) => [element('dt', { text: name }), element('dd', { text: value })]);
  return element('dl', { class: 'facts' }, ...parts);
}
