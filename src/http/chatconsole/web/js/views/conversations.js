/** The conversations in use, the largest audiences first. */

import { element, setText } from '../dom.js';
import { number } from '../format.js';
import { actorOffers } from '../offers.js';
import { Table } from '../table.js';

const ROWS = 500;

export const COLUMNS = [
  { title: 'Conversation', width: 'minmax(20rem, 1fr)', text: (row) => row.id, value: (row) => row.id },
  { title: 'Seq', numeric: true, text: (row) => number(row.seq), value: (row) => row.seq },
  { title: 'Rev', numeric: true, text: (row) => number(row.rev), value: (row) => row.rev },
  {
    title: 'Behind', numeric: true, text: (row) => number(row.lag), value: (row) => row.lag, hint: () => 'revisions behind the database',
    tone: (row) => (row.lag > 100 ? 'bad' : row.lag ? 'warn' : ''),
  },
  { title: 'Members', numeric: true, text: (row) => number(row.members), value: (row) => row.members },
  { title: 'Subscribed', numeric: true, text: (row) => number(row.subscribers), value: (row) => row.subscribers },
  { title: 'Read', numeric: true, text: (row) => number(row.read), value: (row) => row.read },
  { title: 'Delivered', numeric: true, text: (row) => number(row.delivered), value: (row) => row.delivered },
  { title: 'Marks', width: '7rem', text: (row) => (row.unsavedMarks ? 'unsaved' : 'saved'), value: (row) => row.unsavedMarks },
  { title: 'Typing', width: 'minmax(8rem, 12rem)', text: (row) => row.typists.join(', '), value: (row) => row.typists.length },
];

export class ConversationsView {
  constructor(context) {
    this._about = element('p', { class: 'hint' });
    this._table = new Table('Conversations', COLUMNS, {
      keyOf: (row) => row.id,
      onOpen: (row) => context.go('actor', `conversations/${row.id}`),
      onKey: (event, row) => {
        if (event.key !== 'f') return false;
        context.go('trace', row.id);
        return true;
      },
      sort: 5,
      empty: 'No conversation is in use.',
    });
    this.element = element('div', { class: 'table-view' }, this._about, this._table.element);
  }

  offers() {
    return this._table.active ? actorOffers(`conversations/${this._table.active.id}`) : [];
  }

  wanted() {
    return { sections: ['conversations'], limit: ROWS };
  }

  show({ conversations }) {
    const { total, listed } = conversations;
    const all = `${number(total)} in use`;
    setText(this._about, total > listed.length ? `${number(listed.length)} of ${all}, the largest audiences` : all);
    this._table.set(listed);
  }

  filter(text) {
    this._table.filter(text);
  }
}
