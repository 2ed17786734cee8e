/** A tree whose branches fold, drawn as a virtual list (the ARIA tree pattern). */

import { element, setAttribute, setText } from './dom.js';
import { visibleRows } from './forest.js';
import { VirtualRows } from './virtual-rows.js';

export class TreeList {
  /**
   * @param {string} label
   * @param {{drawRow: (parts: HTMLElement, row: object) => void, onOpen: (row: object) => void, onKey?: (event: KeyboardEvent, row:
   *   object) => boolean}} options `drawRow` fills what is right of the fold's mark
   */
  constructor(label, { drawRow, onOpen, onKey = () => false }) {
    this.element = element('div', { class: 'tree', role: 'tree', 'aria-label': label });
    this._drawRow = drawRow;
    this._all = [];
    this._folded = new Set();
    this._filter = '';
    this._rows = new VirtualRows(this.element, this.element, {
      create: () => this._create(),
      onOpen: (row, event) => {
        if (event.target.closest?.('.fold')) this._fold(row, row.isOpen);
        else onOpen(row);
      },
      onKey: (event, row) => this._key(event, row) || onKey(event, row),
    });
  }

  get active() {
    return this._rows.active;
  }

  set(rows) {
    this._all = rows;
    this._draw();
  }

  filter(text) {
    this._filter = text;
    this._draw();
  }

  _draw() {
    this._rows.set(visibleRows(this._all, this._folded, this._filter));
  }

  _create() {
    const fold = element('span', { class: 'fold', 'aria-hidden': 'true' });
    const parts = element('span', { class: 'tree-parts' });
    const made = element('div', { role: 'treeitem' }, fold, parts);
    const update = (row) => {
      if (made.dataset.depth !== String(row.depth)) {
        made.dataset.depth = row.depth;
        made.style.setProperty('--depth', row.depth);
        made.setAttribute('aria-level', row.depth + 1);
      }
      setText(fold, row.hasChildren ? (row.isOpen ? '▾' : '▸') : '');
      setAttribute(made, 'aria-expanded', row.hasChildren ? String(row.isOpen) : null);
      this._drawRow(parts, row);
    };
    return { element: made, update };
  }

  _fold(row, folds) {
    if (!row.hasChildren) return;
    if (folds) this._folded.add(row.key);
    else this._folded.delete(row.key);
    this._draw();
  }

  _key(event, row) {
    const folds = event.key === 'ArrowLeft' || event.key === 'h';
    const unfolds = event.key === 'ArrowRight' || event.key === 'l';
    if (unfolds && row.hasChildren && !row.isOpen) this._fold(row, false);
    else if (folds && row.isOpen) this._fold(row, true);
    else if (folds && row.depth > 0) this._rows.activate(this._parentOf(row));
    else return false;
    return true;
  }

  _parentOf(row) {
    const index = this._all.findIndex((each) => each.key === row.key);
    for (let above = index - 1; above >= 0; above -= 1) if (this._all[above].depth < row.depth) return this._all[above].key;
    return row.key;
  }
}
