/** What holds the node's event loop, while it does. */

import { element, reconcile, setText } from './dom.js';
import { fullPlace, place, seconds } from './format.js';

const CALLS = 12;

export class Banner {
  constructor(root) {
    this._root = root;
    this._title = element('h2');
    this._since = element('span');
    this._where = element('p', { class: 'place' });
    this._stack = element('ol', { class: 'stack' });
    // The time runs on: read out once, not each second.
    const line = element('p', { 'aria-live': 'off' }, 'for ', this._since);
    root.replaceChildren(this._title, line, this._where, this._stack);
  }

  /** @param {object | null} stall null hides it */
  show(stall) {
    if (stall) {
      setText(this._title, `The event loop is blocked by ${stall.task ?? 'what no task is known for'}`);
      setText(this._since, seconds(stall.lasted));
      setText(this._where, `at ${place(stall.where)}`);
      this._where.title = fullPlace(stall.where);
      reconcile(this._stack, stall.stack.slice(-CALLS), (_, index) => String(index), placeItem);
    }
    this._root.hidden = !stall;
  }
}

/** A line of a stack, for `reconcile`. */
export function placeItem() {
  const item = element('li', { class: 'place' });
  return {
    element: item,
    update(at) {
      setText(item, place(at));
      item.title = fullPlace(at);
    },
  };
}
