/** The WebSockets, the fullest outboxes first. */

import { element, setText } from '../dom.js';
import { bytes, number, seconds } from '../format.js';
import { socketOffers } from '../offers.js';
import { factsNode } from '../panel.js';
import { Table } from '../table.js';

const ROWS = 500;

const COLUMNS = [
  { title: 'Socket', width: 'minmax(11rem, 1fr)', text: (row) => row.id, value: (row) => row.id },
  { title: 'User', width: 'minmax(9rem, 1fr)', text: (row) => row.user ?? 'before CONNECT', value: (row) => row.user },
  {
    title: 'Outbox', width: '11rem', numeric: true, text: (row) => `${bytes(row.queued)} / ${bytes(row.limit)}`, value: (row) => row.queued,
    share: (row) => (row.limit ? row.queued / row.limit : 0), tone: (row) => (row.queued * 2 > row.limit ? 'bad' : ''),
  },
  { title: 'At most', numeric: true, text: (row) => bytes(row.highWater), value: (row) => row.highWater },
  {
    title: 'Dropped', numeric: true, text: (row) => number(row.dropped), value: (row) => row.dropped,
    tone: (row) => (row.dropped ? 'warn' : ''),
  },
  {
    title: 'Late', numeric: true, text: (row) => number(row.late), value: (row) => row.late,
    tone: (row) => (row.late >= 3 ? 'bad' : row.late ? 'warn' : ''),
  },
  { title: 'Subscribed', numeric: true, text: (row) => number(row.subscriptions), value: (row) => row.subscriptions },
  { title: 'Sending', numeric: true, text: (row) => number(row.sendsInFlight), value: (row) => row.sendsInFlight },
  {
    title: 'Silent', width: '9rem', numeric: true,
    text: (row) => `${seconds(row.silent)} / ${seconds(row.allowed)}`, value: (row) => row.silent,
    tone: (row) => (row.allowed !== null && row.silent > row.allowed * 0.8 ? 'warn' : ''),
  },
  { title: 'Kept alive by', width: '9rem', text: (row) => row.heartbeat, value: (row) => row.heartbeat },
  { title: 'Transport', width: '9rem', text: (row) => row.transport, value: (row) => row.transport },
];

export class SocketsView {
  constructor(context) {
    this._context = context;
    this._about = element('p', { class: 'hint' });
    this._reveal = element('input', { type: 'checkbox', onchange: () => context.refresh() });
    this.tools = [element('label', { class: 'inline' }, this._reveal, ' users’ ids (the node logs it)')];
    this._table = new Table('Sockets', COLUMNS, {
      keyOf: (row) => row.id,
      onOpen: (row) => this._open(row),
      sort: 2,
      empty: 'Nobody is connected.',
    });
    this.element = element('div', { class: 'table-view' }, this._about, this._table.element);
  }

  wanted() {
    return { sections: ['sockets'], limit: ROWS, reveal: this._reveal.checked };
  }

  show({ sockets }) {
    const { total, listed } = sockets;
    const all = `${number(total)} sockets`;
    setText(this._about, total > listed.length ? `${number(listed.length)} of ${all}, the fullest outboxes` : all);
    this._table.set(listed);
  }

  filter(text) {
    this._table.filter(text);
  }

  leave() {
    this._reveal.checked = false;
  }

  offers() {
    return this._table.active ? socketOffers(this._table.active.id) : [];
  }

  key(event) {
    if (event.key === 'u') this._reveal.click();
    return event.key === 'u';
  }

  _open(row) {
    const { panel, allows } = this._context;
    const onclick = () => this._context.act('disconnect', row.id);
    const disconnect = element('button', { type: 'button', class: 'danger', text: 'Disconnect…', onclick });
    const facts = COLUMNS.map((column) => [column.title, column.text(row)]);
    panel.open(`Socket ${row.id}`, factsNode(facts), allows('disconnect') ? disconnect : null);
  }
}
