/** A table that is sorted by a click on a column's head or by keys, drawn as a virtual list (the ARIA grid pattern). */

import { element, setAttribute, setText } from './dom.js';
import { VirtualRows } from './virtual-rows.js';

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: object) => string} text
 * @property {(row: object) => number | string | null} value that rows are sorted by
 * @property {string} [width] as CSS grid has it
 * @property {boolean} [numeric]
 * @property {(row: object) => string} [tone] a class: `good`, `warn`, `bad`, or empty
 * @property {(row: object) => number} [share] 0 to 1, drawn as a bar behind the text
 * @property {(row: object) => string} [hint]
 */

export class Table {
  /**
   * @param {string} label
   * @param {Column[]} columns
   * @param {{keyOf: (row: object) => string, onOpen: (row: object) => void, onKey?: (event: KeyboardEvent, row: object) => boolean,
   *   sort: number, descending?: boolean, empty: string}} options
   */
  constructor(label, columns, { keyOf, onOpen, onKey = () => false, sort, descending = true, empty }) {
    this._columns = columns;
    this._keyOf = keyOf;
    this._sort = sort;
    this._descending = descending;
    this._given = [];
    this._filter = '';
    this._heads = columns.map((column, index) => this._head(column, index));
    this._body = element('div', { role: 'rowgroup', class: 'table-body' });
    this._empty = element('p', { class: 'empty', text: empty, hidden: true });
    const heads = element('div', { role: 'row', class: 'row-cells heads' }, ...this._heads);
    this.element = element('div', { class: 'table', role: 'grid', 'aria-label': label, 'aria-colcount': columns.length });
    this.element.append(element('div', { role: 'rowgroup' }, heads), this._empty, this._body);
    this.element.style.setProperty('--columns', columns.map(({ width = '6.5rem' }) => width).join(' '));
    this._rows = new VirtualRows(this.element, this._body, {
      create: () => this._create(),
      onOpen: ({ row }) => onOpen(row),
      onKey: (event, { row }) => onKey(event, row),
    });
    this.element.addEventListener('keydown', (event) => this._sortKey(event));
    this._showSort();
  }

  /** The row that is active, null when there is none. */
  get active() {
    return this._rows.active?.row ?? null;
  }

  set(rows) {
    this._given = rows;
    this._draw();
  }

  filter(text) {
    this._filter = text.toLowerCase();
    this._draw();
  }

  _draw() {
    const { value } = this._columns[this._sort];
    const sign = this._descending ? -1 : 1;
    const rows = this._given
      .filter((row) => !this._filter || this._columns.some(({ text }) => text(row).toLowerCase().includes(this._filter)))
      .map((row) => ({ key: this._keyOf(row), row, by: value(row) }))
      .sort((one, other) => sign * compare(one.by, other.by) || compare(one.key, other.key));
    this._empty.hidden = rows.length > 0;
    setAttribute(this.element, 'aria-rowcount', rows.length + 1);
    this._rows.set(rows);
  }

  _head({ title, numeric }, index) {
    const onclick = () => this._sortBy(index, this._sort === index ? !this._descending : Boolean(numeric));
    const button = element('button', { type: 'button', tabindex: '-1', text: title, onclick });
    return element('div', { role: 'columnheader', class: numeric ? 'cell numeric' : 'cell' }, button);
  }

  _create() {
    const cells = this._columns.map(({ numeric }) => element('span', { role: 'gridcell', class: numeric ? 'cell numeric' : 'cell' }));
    const made = element('div', { role: 'row', class: 'row-cells' }, ...cells);
    const update = ({ row }, index) => {
      setAttribute(made, 'aria-rowindex', index + 2);
      this._columns.forEach((column, at) => {
        setText(cells[at], column.text(row));
        if (column.tone) setAttribute(cells[at], 'data-tone', column.tone(row) || null);
        if (column.hint) setAttribute(cells[at], 'title', column.hint(row) || null);
        if (column.share) cells[at].style.setProperty('--share', `${(100 * Math.min(1, column.share(row))).toFixed(1)}%`);
      });
    };
    return { element: made, update };
  }

  _sortBy(index, descending) {
    this._sort = index;
    this._descending = descending;
    this._showSort();
    this._draw();
  }

  _showSort() {
    this._heads.forEach((head, index) => {
      const order = this._descending ? 'descending' : 'ascending';
      head.setAttribute('aria-sort', index === this._sort ? order : 'none');
    });
  }

  _sortKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 's') {
      const next = (this._sort + 1) % this._columns.length;
      this._sortBy(next, Boolean(this._columns[next].numeric));
    } else if (event.key === 'S') this._sortBy(this._sort, !this._descending);
  }
}

function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  return one < other ? -1 : 1;
}
