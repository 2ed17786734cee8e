/** Messages on their way through the house, hop by hop. */

import { element, reconcile, setText } from '../dom.js';
import { clock, number, seconds } from '../format.js';
import { lengthOf, waterfallNode } from '../waterfall.js';
import { Table } from '../table.js';

const KEPT = 500;

const COLUMNS = [
  { title: 'Began', width: '8rem', numeric: true, text: (row) => clock(beganOf(row)), value: beganOf },
  { title: 'Conversation', width: 'minmax(9rem, 1fr)', text: (row) => row.conversation, value: (row) => row.conversation },
  { title: 'Message', width: 'minmax(9rem, 1fr)', text: (row) => row.message || row.clientMessageId || '–', value: (row) => row.message },
  { title: 'User', width: '9rem', text: (row) => row.user ?? '–', value: (row) => row.user },
  {
    title: 'Outcome', width: '9rem', text: (row) => row.outcome, value: (row) => row.outcome,
    tone: (row) => ({ committed: 'good', repeated: 'good', open: '' })[row.outcome] ?? 'bad',
  },
  { title: 'Seq', width: '5rem', numeric: true, text: (row) => number(row.seq), value: (row) => row.seq },
  { title: 'Nodes', width: '5rem', numeric: true, text: (row) => number(row.legs.length), value: (row) => row.legs.length },
  { title: 'Took', numeric: true, text: (row) => seconds(lengthOf(row)), value: lengthOf },
];

export class TraceView {
  constructor(context) {
    this._context = context;
    this._stop = null;
    this._begun = false;
    this._traces = new Map();
    this._chosen = null;
    this._dropped = 0;
    this._scheduled = false;
    const field = (id, label) =>
      element('input', { id, 'aria-label': label, placeholder: label, spellcheck: 'false', autocomplete: 'off' });
    this._conversation = field('follow-conversation', 'conversation (empty: any)');
    this._message = field('follow-message', 'message’s id or clientMessageId');
    this._button = element('button', { text: 'Follow' });
    const form = element('form', { class: 'follow', 'aria-label': 'What to follow', onsubmit: (event) => this._submit(event) });
    form.append(this._conversation, this._message, this._button);
    this._about = element('p', { class: 'hint', role: 'status' });
    this._table = new Table('Messages', COLUMNS, {
      keyOf,
      onOpen: (row) => this._choose(row),
      sort: 0,
      empty: 'No message yet: only what is sent from now on is followed.',
    });
    this._way = element('div', { class: 'way', 'aria-label': 'The way of the chosen message', role: 'region' });
    this.element = element('div', { class: 'trace-view' }, form, this._about, this._table.element, this._way);
  }

  /** @param {string} conversation that is followed at once; empty for none */
  enter(conversation) {
    if (conversation) {
      this._conversation.value = conversation;
      this._message.value = '';
      this._follow();
    }
    this._tell();
  }

  leave() {
    this._end();
  }

  key(event) {
    if (event.key === 'x') this._end();
    else if (event.key === 'f' && !this._stop) this._follow();
    else return false;
    return true;
  }

  filter(text) {
    this._table.filter(text);
  }

  _submit(event) {
    event.preventDefault();
    if (this._stop) this._end();
    else this._follow();
  }

  _follow() {
    this._end();
    this._traces.clear();
    this._dropped = 0;
    this._chosen = null;
    this._refused = '';
    const request = { op: 'follow', conversation: this._conversation.value.trim(), message: this._message.value.trim() };
    this._begun = false;
    this._stop = this._context.link.stream(request, (answer) => this._take(answer), () => this._lost());
    this._draw();
  }

  _end() {
    this._stop?.();
    this._stop = null;
    this._tell();
  }

  _lost() {
    this._begun = false;
    this._tell();
  }

  _take(answer) {
    if (answer.type === 'refused') {
      this._refused = answer.message;
      this._end();
      return;
    }
    if (answer.type !== 'traces') return;
    this._begun = true;
    this._dropped = answer.dropped;
    for (const trace of answer.traces) this._traces.set(keyOf(trace), trace);
    for (const key of this._traces.keys()) {
      if (this._traces.size <= KEPT) break;
      this._traces.delete(key);
    }
    if (this._scheduled) return;
    this._scheduled = true;
    requestAnimationFrame(() => {
      this._scheduled = false;
      this._draw();
    });
  }

  _draw() {
    this._table.set([...this._traces.values()]);
    this._tell();
    const chosen = this._traces.get(this._chosen) ?? this._table.active;
    reconcile(this._way, chosen ? [chosen] : [], keyOf, () => wayEntry());
  }

  _tell() {
    setText(this._button, this._stop ? 'Stop' : 'Follow');
    const dropped = this._dropped ? `; ${number(this._dropped)} were forgotten or not begun` : '';
    setText(this._about, `${this._state()}; ${number(this._traces.size)} messages${dropped}`);
  }

  /** Following only once the node says so: what was sent before is not followed. */
  _state() {
    if (this._refused) return `Refused: ${this._refused}`;
    if (!this._stop) return 'Not following';
    return this._begun ? 'Following' : 'Asking the node to follow';
  }

  _choose(row) {
    this._chosen = keyOf(row);
    this._draw();
  }
}

function keyOf({ conversation, message, clientMessageId }) {
  return `${conversation}/${message || clientMessageId}`;
}

function beganOf({ legs }) {
  return legs[0]?.began ?? 0;
}

function wayEntry() {
  const made = element('div');
  let shown = '';
  const update = (trace) => {
    const now = JSON.stringify(trace);
    if (now === shown) return;
    shown = now;
    const title = `message ${trace.message || trace.clientMessageId || ''}: ${trace.outcome}`;
    made.replaceChildren(element('p', { class: 'subject', text: title }), waterfallNode(trace));
  };
  return { element: made, update };
}
