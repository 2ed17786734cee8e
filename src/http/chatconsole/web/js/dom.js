/** Small helpers over the DOM. What a node tells goes in as text only; no markup is ever parsed. */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `text` is the text content, functions named `on…` are listeners; null and
 *   false leave an attribute out
 * @param {...(Node | string | null)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (name === 'text') made.textContent = value;
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Set text without touching the node when it is the same: selections stay, and assistive technology reads changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute if it changes; null removes it. */
export function setAttribute(node, name, value) {
  if (value === null) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const drawn = new WeakMap();

/**
 * Make the children of `parent` show `rows`, reusing those of rows that were there before.
 *
 * @template Row
 * @param {HTMLElement} parent whose children belong to this function alone
 * @param {Row[]} rows
 * @param {(row: Row, index: number) => string} keyOf unique among the rows
 * @param {(row: Row) => {element: HTMLElement, update: (row: Row) => void}} create
 */
export function reconcile(parent, rows, keyOf, create) {
  const before = drawn.get(parent) ?? new Map();
  const after = new Map();
  let next = parent.firstElementChild;
  rows.forEach((row, index) => {
    const key = keyOf(row, index);
    const entry = before.get(key) ?? create(row);
    before.delete(key);
    after.set(key, entry);
    entry.update(row);
    if (entry.element === next) next = next.nextElementSibling;
    else parent.insertBefore(entry.element, next);
  });
  for (const entry of before.values()) entry.element.remove();
  drawn.set(parent, after);
}

const TOAST_MS = 8_000;

/** A short notice at the edge of the screen, which assistive technology reads. */
export function toast(text) {
  const note = element('p', { class: 'toast', text });
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}
