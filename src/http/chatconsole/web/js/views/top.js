/** All actors, those that are most behind first. */

import { element, setText } from '../dom.js';
import { number, seconds } from '../format.js';
import { Table } from '../table.js';

const ROWS = 500;
const TROUBLE = ['crashed', 'quarantined', 'backoff'];

const COLUMNS = [
  { title: 'Actor', width: 'minmax(24rem, 1fr)', text: (row) => row.name, value: (row) => row.name },
  {
    title: 'State', width: '7.5rem', text: (row) => row.state, value: (row) => row.state,
    tone: (row) => (TROUBLE.includes(row.state) ? 'bad' : ''),
  },
  {
    title: 'Mailbox', numeric: true, text: (row) => `${number(row.depth)} / ${number(row.capacity)}`, value: (row) => row.depth,
    share: (row) => (row.capacity ? row.depth / row.capacity : 0), hint: (row) => `when full: ${row.full}`,
  },
  {
    title: 'Oldest', numeric: true, text: (row) => seconds(row.oldestAge), value: (row) => row.oldestAge,
    tone: (row) => (row.oldestAge >= 1 ? 'bad' : ''),
  },
  {
    title: 'Busy for', numeric: true, text: (row) => seconds(row.busyFor), value: (row) => row.busyFor,
    tone: (row) => ((row.busyFor ?? 0) >= 1 ? 'bad' : ''),
  },
  { title: 'Rate /s', numeric: true, text: (row) => number(row.rate), value: (row) => row.rate },
  { title: 'p50', numeric: true, text: (row) => seconds(row.p50), value: (row) => row.p50 },
  { title: 'p99', numeric: true, text: (row) => seconds(row.p99), value: (row) => row.p99 },
  { title: 'Handled', numeric: true, text: (row) => number(row.handled), value: (row) => row.handled },
  { title: 'Refused', numeric: true, text: (row) => number(row.refused), value: (row) => row.refused, tone: (row) => (row.refused ? 'warn' : '') },
  { title: 'Dropped', numeric: true, text: (row) => number(row.dropped), value: (row) => row.dropped, tone: (row) => (row.dropped ? 'warn' : '') },
  { title: 'Restarts', numeric: true, text: (row) => number(row.restarts), value: (row) => row.restarts, tone: (row) => (row.restarts ? 'bad' : '') },
];

export class TopView {
  constructor(context) {
    this._context = context;
    this._about = element('p', { class: 'hint' });
    this._table = new Table('Actors', COLUMNS, {
      keyOf: (row) => row.name,
      onOpen: (row) => context.go('actor', row.name),
      onKey: (event, row) => this._key(event, row),
      sort: 3,
      empty: 'No actor runs.',
    });
    this.element = element('div', { class: 'table-view' }, this._about, this._table.element);
  }

  wanted() {
    return { sections: ['actors'], limit: ROWS };
  }

  show({ actors }) {
    const { total, listed } = actors;
    setText(this._about, total > listed.length ? `${number(listed.length)} of ${number(total)}, those most behind` : `${number(total)} actors`);
    this._table.set(listed);
  }

  filter(text) {
    this._table.filter(text);
  }

  _key(event, { name }) {
    if (event.key !== 'f' || !name.startsWith('conversations/')) return false;
    this._context.go('trace', name.slice(name.indexOf('/') + 1));
    return true;
  }
}
