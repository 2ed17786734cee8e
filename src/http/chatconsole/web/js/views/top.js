/** All actors, those that are most behind first. */

import { element, setText } from '../dom.js';
import { number, seconds } from '../format.js';
import { actorOffers, conversationOf } from '../offers.js';
import { Table } from '../table.js';

const ROWS = 500;
const TROUBLE = ['crashed', 'quarantined', 'backoff'];

/** A column of what should be 0. */
function count(title, field, tone) {
  const value = (row) => row[field];
  return { title, numeric: true, text: (row) => number(value(row)), value, tone: (row) => (value(row) ? tone : '') };
}

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
  count('Refused', 'refused', 'warn'),
  count('Dropped', 'dropped', 'warn'),
  count('Restarts', 'restarts', 'bad'),
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
    const all = `${number(total)} actors`;
    setText(this._about, total > listed.length ? `${number(listed.length)} of ${all}, those most behind` : all);
    this._table.set(listed);
  }

  filter(text) {
    this._table.filter(text);
  }

  offers() {
    return this._table.active ? actorOffers(this._table.active.name) : [];
  }

  _key(event, { name }) {
    const conversation = conversationOf(name);
    if (event.key !== 'f' || conversation === null) return false;
    this._context.go('trace', conversation);
    return true;
  }
}
