/** Tasks and actors that are no more, and why. */

import { element } from '../dom.js';
import { clock, place } from '../format.js';
import { factsNode, failureNode } from '../panel.js';
import { Table } from '../table.js';

const COLUMNS = [
  { title: 'Ended', width: '8rem', numeric: true, text: (row) => clock(row.at), value: (row) => row.at },
  { title: 'Kind', width: '5rem', text: (row) => row.kind, value: (row) => row.kind },
  { title: 'Name', width: 'minmax(14rem, 1fr)', text: (row) => row.name, value: (row) => row.name },
  { title: 'Why', width: '11rem', text: (row) => row.why, value: (row) => row.why, tone: (row) => (row.failure ? 'bad' : '') },
  {
    title: 'Error', width: 'minmax(14rem, 2fr)', value: (row) => row.failure?.type ?? null,
    text: (row) => (row.failure ? `${row.failure.type}: ${row.failure.message} at ${place(row.failure.where)}` : ''),
  },
];

export class EndedView {
  constructor(context) {
    this._table = new Table('Recently ended', COLUMNS, {
      keyOf: (row) => `${row.at} ${row.name}`,
      onOpen: (row) => {
        const facts = [['ended', clock(row.at)], ['kind', row.kind], ['why', row.why]];
        context.panel.open(row.name, factsNode(facts), failureNode(row.failure));
      },
      sort: 0,
      empty: 'Nothing has ended since somebody watches.',
    });
    this.element = element('div', { class: 'table-view' }, this._table.element);
  }

  wanted() {
    return { sections: ['ended'], limit: 500 };
  }

  show({ ended }) {
    this._table.set(ended);
  }

  filter(text) {
    this._table.filter(text);
  }
}
