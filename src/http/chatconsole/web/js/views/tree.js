/** The supervision tree, and below it that of tasks, nurseries and cancel scopes. */

import { element, setAttribute, setText } from '../dom.js';
import { supervisedRows, taskRows } from '../forest.js';
import { fullPlace, number, place, scopeWords, seconds } from '../format.js';
import { factsNode, failureNode } from '../panel.js';
import { actorOffers } from '../offers.js';
import { TreeList } from '../tree-list.js';

const ROWS = 2000;

export class TreeView {
  constructor(context) {
    this._context = context;
    this._root = null;
    this._skip = 0;
    this._supervision = new TreeList('Supervision', { drawRow: drawSupervised, onOpen: (row) => this._openSupervised(row.it) });
    this._tasks = new TreeList('Tasks', {
      drawRow: drawTask,
      onOpen: (row) => this._openTask(row),
      onKey: (event, row) => this._zoom(event, row),
    });
    this.main = this._tasks.element;
    this._about = element('p', { class: 'hint' });
    this._whole = element('button', { type: 'button', text: 'Whole tree', hidden: true, onclick: () => this._look(null, 0) });
    const next = () => this._look(this._root, this._skip + this._fan);
    this._next = element('button', { type: 'button', text: 'Next', hidden: true, onclick: next });
    const sizes = [8, 50, 500, 2000].map((size) => element('option', { value: String(size), text: String(size) }));
    this._size = element('select', { onchange: () => this._look(this._root, 0) }, ...sizes);
    this.tools = [element('label', { class: 'inline' }, 'children of each nursery ', this._size), this._whole, this._next];
    this.element = element(
      'div',
      { class: 'tree-view' },
      element('h3', { text: 'Supervision' }),
      this._supervision.element,
      element('h3', { text: 'Tasks' }),
      this._about,
      this._tasks.element,
    );
  }

  wanted() {
    const view = { sections: ['supervision', 'tasks'], fan: this._fan, limit: ROWS, skip: this._skip };
    return this._root === null ? view : { ...view, root: this._root };
  }

  show({ supervision, tasks }) {
    this._supervision.element.toggleAttribute('data-stale', !supervision);
    if (supervision) this._supervision.set(supervisedRows(supervision));
    if (!tasks) return;
    this._tasks.set(taskRows(tasks));
    const [first] = tasks.rows;
    const isPart = this._root !== null;
    const more = isPart && first?.kind === 'nursery' && this._skip + this._fan < first.children;
    this._whole.hidden = !isPart;
    this._next.hidden = !more;
    const part = isPart ? `below ${this._root}${first ? '' : ', which is no more'}` : 'in all';
    const from = this._skip ? `, from child ${this._skip + 1} on` : '';
    setText(this._about, `${number(tasks.total)} tasks ${part}${from}${tasks.truncated ? '; not all of them fit: open a part' : ''}`);
  }

  filter(text) {
    this._supervision.filter(text);
    this._tasks.filter(text);
  }

  get _fan() {
    return Number(this._size.value);
  }

  _look(root, skip) {
    this._root = root;
    this._skip = skip;
    this._context.refresh();
  }

  _zoom(event, { kind, it, nursery }) {
    if (event.key === 'z') this._look(kind === 'group' ? nursery : it.id, 0);
    else if (event.key === 'Z') this._look(null, 0);
    else return false;
    return true;
  }

  offers() {
    const row = this._supervision.active?.it;
    if (row?.role !== 'actor' || !this._supervision.element.contains(document.activeElement)) return [];
    return actorOffers(row.name);
  }

  _openTask({ kind, it, nursery }) {
    const { panel, link } = this._context;
    if (kind === 'task') panel.openStack(link, it.id, it.name);
    else {
      if (kind === 'group') this._size.value = '500';
      this._look(nursery ?? it.id, 0);
    }
  }

  _openSupervised(row) {
    const { panel, go } = this._context;
    const facts = [['role', row.role], ['state', row.state], ['restarts', number(row.restarts)]];
    if (row.maxRestarts !== null) facts.push(['strategy', row.strategy], ['intensity', intensity(row)]);
    if (row.live !== null) facts.push(['live actors', number(row.live)]);
    const open = element('button', { type: 'button', text: 'Show the actor', onclick: () => go('actor', row.name) });
    panel.open(row.name, factsNode(facts), row.role === 'actor' ? open : null, failureNode(row.lastError));
  }
}

function intensity({ intensityLeft, maxRestarts, within }) {
  return `${intensityLeft} of ${maxRestarts} restarts left in ${seconds(within)}`;
}

const PARTS = ['name', 'state', 'since', 'trap', 'place'];

/** The spans of a row, made once and filled again and again; `chips` is the last. */
function spansOf(parts) {
  if (!parts.spans) {
    parts.spans = Object.fromEntries([...PARTS, 'chips'].map((name) => [name, element('span', { class: name })]));
    parts.append(...Object.values(parts.spans));
  }
  return parts.spans;
}

function fill(parts, { name, state = '', since = '', trap = '', at = null, chips = [] }) {
  const spans = spansOf(parts);
  setText(spans.name, name);
  setText(spans.state, state);
  setAttribute(spans.state, 'data-state', state || null);
  setText(spans.since, since);
  setText(spans.trap, trap);
  setText(spans.place, at ? place(at) : '');
  setAttribute(spans.place, 'title', fullPlace(at) || null);
  const shown = chips.map((chip) => `${chip.tone}|${chip.text}`).join('\n');
  if (spans.chips.dataset.shown === shown) return;
  spans.chips.dataset.shown = shown;
  spans.chips.replaceChildren(...chips.map(({ tone, text }) => element('span', { class: `chip ${tone}`, text })));
}

function drawTask(parts, { kind, it }) {
  if (kind === 'nursery') {
    fill(parts, { name: `nursery of ${number(it.children)}`, chips: scopeChips(it.scope) });
  } else if (kind === 'group') {
    fill(parts, { name: `… ${number(it.count)} of ${it.name}`, state: it.state, at: it.where });
  } else {
    const since = it.since === null ? '' : `${it.atLeast ? '> ' : ''}${seconds(it.since)}`;
    const chips = it.scopes.flatMap(ownScopeChips);
    fill(parts, { name: it.name, state: it.state, since, trap: it.trap ?? '', at: it.where, chips });
  }
}

function scopeChips(scope) {
  const tones = { deadline: 'deadline', shielded: 'shielded', cancelled: 'cancelled' };
  return scopeWords(scope).map((text) => ({ text, tone: tones[text.split(' ')[0]] }));
}

function ownScopeChips(scope) {
  const chips = scopeChips(scope);
  return chips.length ? chips : [{ text: 'scope', tone: 'plain' }];
}

function drawSupervised(parts, { it }) {
  const chips = [];
  if (it.maxRestarts !== null) chips.push({ text: intensity(it), tone: it.intensityLeft * 3 <= it.maxRestarts ? 'cancelled' : 'plain' });
  if (it.restarts) chips.push({ text: `${number(it.restarts)} restarts`, tone: 'deadline' });
  if (it.live !== null) chips.push({ text: `${number(it.live)} live`, tone: 'plain' });
  const error = it.lastError;
  const trap = error ? `${error.type}: ${error.message}` : it.role;
  fill(parts, { name: it.name, state: it.state, trap, at: error?.where ?? null, chips });
}
