/** What the node stands on: the store and the bridge. */

import { element, reconcile, setText } from '../dom.js';
import { number, seconds, words } from '../format.js';

export class BackendsView {
  constructor() {
    this.element = element('div', { class: 'cards' });
    this._before = new Map();
  }

  wanted() {
    return { sections: ['backends'] };
  }

  show({ backends, at }) {
    const told = backends.map((backend) => ({ backend, rates: this._rates(backend, at) }));
    reconcile(this.element, told, ({ backend }) => backend.name, () => card());
  }

  /** What its figures changed by, a second. */
  _rates({ name, figures }, at) {
    const before = this._before.get(name);
    this._before.set(name, { at, figures });
    if (!before || at <= before.at) return {};
    return Object.fromEntries(Object.keys(figures).map((key) => [key, (figures[key] - (before.figures[key] ?? 0)) / (at - before.at)]));
  }
}

function card() {
  const title = element('h3');
  const status = element('p');
  const table = element('dl', { class: 'facts' });
  const made = element('section', { class: 'card' }, title, status, table);
  const update = ({ backend, rates }) => {
    setText(title, backend.name);
    made.dataset.state = backend.status;
    const error = backend.error ? `: ${backend.error}` : '';
    setText(status, `${backend.status} for ${seconds(backend.since)}${error}; round trip ${seconds(backend.roundTrip)}`);
    reconcile(table, Object.entries(backend.figures), ([name]) => name, () => figure(rates));
    for (const [name, value] of Object.entries(backend.figures)) {
      const rate = rates[name] ? ` (${rates[name] > 0 ? '+' : ''}${number(Number(rates[name].toPrecision(3)))}/s)` : '';
      const node = [...table.children].find((each) => each.dataset.name === name);
      setText(node.lastElementChild, number(value) + rate);
    }
  };
  return { element: made, update };
}

function figure() {
  const made = element('div', {}, element('dt'), element('dd'));
  const update = ([name]) => {
    made.dataset.name = name;
    setText(made.firstElementChild, words(name));
  };
  return { element: made, update };
}
