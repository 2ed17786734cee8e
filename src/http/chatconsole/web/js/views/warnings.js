/** What the node found wrong with itself. */

import { element, reconcile, setText } from '../dom.js';
import { fullPlace, place } from '../format.js';

const ELSEWHERE = {
  'loop-blocked': 'loop',
  'no-checkpoint': 'loop',
  'slow-turn': 'loop',
  'slow-starved': 'loop',
  'endless-shield': 'tree',
  'growing-nursery': 'tree',
  'near-escalation': 'tree',
  'crash-loop': 'actor',
  'ageing-mailbox': 'actor',
  'slow-consumer': 'sockets',
  'behind-database': 'conversations',
};

export class WarningsView {
  constructor(context) {
    this._context = context;
    this._filter = '';
    this._told = [];
    this._list = element('ul', { class: 'warnings', 'aria-label': 'Warnings' });
    this._none = element('p', { class: 'empty', text: 'Nothing is wrong as far as the node can tell.' });
    this.element = element('div', { class: 'scrolled' }, this._none, this._list);
  }

  base({ warnings = [] }) {
    this._told = warnings;
    if (this.element.isConnected) this._draw();
  }

  enter() {
    this._draw();
  }

  filter(text) {
    this._filter = text.toLowerCase();
    this._draw();
  }

  _draw() {
    const rows = this._told.filter(({ code, subject, says }) => `${code} ${subject} ${says}`.toLowerCase().includes(this._filter));
    this._none.hidden = rows.length > 0;
    reconcile(this._list, rows, (row, index) => `${row.code}|${row.subject}|${index}`, () => this._item());
  }

  _item() {
    const code = element('strong');
    const subject = element('span', { class: 'subject' });
    const says = element('span');
    const where = element('span', { class: 'place' });
    let row = null;
    const open = element('button', { type: 'button', class: 'warning', onclick: () => this._open(row) }, code, subject, says, where);
    const update = (told) => {
      row = told;
      setText(code, told.code);
      setText(subject, told.subject);
      setText(says, told.says);
      setText(where, told.where ? `at ${place(told.where)}` : '');
      where.title = fullPlace(told.where);
    };
    return { element: element('li', {}, open), update };
  }

  _open({ code, subject }) {
    const view = ELSEWHERE[code];
    if (view) this._context.go(view, view === 'actor' ? subject : '');
  }
}
