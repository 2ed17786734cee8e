/** A list of any length of which only what is in view is in the document. */

const OVERSCAN = 6;
let lists = 0;

/**
 * @template Row each with a unique `key`
 * @typedef {object} RowView
 * @property {HTMLElement} element
 * @property {(row: Row, index: number) => void} update
 */

/** The focus stays on the widget, which names the row that is active (`aria-activedescendant`). */
export class VirtualRows {
  /**
   * @param {HTMLElement} widget that takes the focus
   * @param {HTMLElement} scroller that the rows are put into; may be the same
   * @param {{create: () => RowView, onOpen: (row: object, event: Event) => void, onKey?: (event: KeyboardEvent, row: object) =>
   *   boolean, rowHeight?: number}} options `onKey` tells whether it used the key
   */
  constructor(widget, scroller, { create, onOpen, onKey = () => false, rowHeight = 24 }) {
    this._widget = widget;
    this._scroller = scroller;
    this._create = create;
    this._onOpen = onOpen;
    this._onKey = onKey;
    this._height = rowHeight;
    this._name = `rows-${++lists}`;
    this._rows = [];
    this._slots = [];
    this._active = 0;
    this._activeKey = null;
    this._space = document.createElement('div');
    this._space.className = 'rows-space';
    this._space.setAttribute('role', 'presentation');
    scroller.classList.add('rows');
    scroller.append(this._space);
    widget.tabIndex = 0;
    widget.addEventListener('keydown', (event) => this._key(event));
    scroller.addEventListener('scroll', () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
  }

  get active() {
    return this._rows[this._active] ?? null;
  }

  set(rows) {
    this._rows = rows;
    const found = this._activeKey === null ? -1 : rows.findIndex((row) => row.key === this._activeKey);
    this._active = found >= 0 ? found : Math.min(this._active, Math.max(0, rows.length - 1));
    this.draw();
  }

  /** Make the row of this key active and bring it into view. */
  activate(key) {
    const index = this._rows.findIndex((row) => row.key === key);
    if (index >= 0) this._move(index);
  }

  draw() {
    const height = `${this._rows.length * this._height}px`;
    if (this._space.style.height !== height) this._space.style.height = height;
    const first = Math.max(0, Math.floor(this._scroller.scrollTop / this._height) - OVERSCAN);
    const room = Math.ceil(this._scroller.clientHeight / this._height) + 2 * OVERSCAN;
    const end = Math.min(this._rows.length, first + room);
    while (this._slots.length < room) this._addSlot();
    const used = new Set();
    for (let index = first; index < end; index += 1) {
      const number = index % this._slots.length;
      used.add(number);
      this._show(this._slots[number], index);
    }
    this._slots.forEach((slot, number) => {
      if (!used.has(number) && !slot.element.hidden) slot.element.hidden = true;
    });
    const active = this._active >= first && this._active < end ? this._slots[this._active % this._slots.length] : null;
    if (active) this._widget.setAttribute('aria-activedescendant', active.element.id);
    else this._widget.removeAttribute('aria-activedescendant');
  }

  _addSlot() {
    const view = this._create();
    const slot = { ...view, index: -1, top: '' };
    view.element.id = `${this._name}-${this._slots.length}`;
    view.element.classList.add('row');
    view.element.addEventListener('click', (event) => {
      if (!this._rows[slot.index] || getSelection()?.type === 'Range') return;
      this._move(slot.index);
      this._onOpen(this._rows[slot.index], event);
    });
    this._slots.push(slot);
    this._space.append(view.element);
  }

  _show(slot, index) {
    const top = `translateY(${index * this._height}px)`;
    if (slot.top !== top) slot.element.style.transform = slot.top = top;
    if (slot.element.hidden) slot.element.hidden = false;
    slot.index = index;
    slot.element.classList.toggle('is-active', index === this._active);
    slot.update(this._rows[index], index);
  }

  _move(index) {
    this._active = Math.max(0, Math.min(index, this._rows.length - 1));
    this._activeKey = this.active?.key ?? null;
    const top = this._active * this._height;
    const { scrollTop, clientHeight } = this._scroller;
    if (top < scrollTop) this._scroller.scrollTop = top;
    else if (top + this._height > scrollTop + clientHeight) this._scroller.scrollTop = top + this._height - clientHeight;
    this.draw();
  }

  _key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest('button, input, select')) return;
    const page = Math.max(1, Math.floor(this._scroller.clientHeight / this._height) - 1);
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page };
    Object.assign(steps, { Home: -Infinity, g: -Infinity, End: Infinity, G: Infinity });
    if (event.key in steps) this._move(this._active + steps[event.key]);
    else if (event.key === 'Enter' && this.active) this._onOpen(this.active, event);
    else if (!this.active || !this._onKey(event, this.active)) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
