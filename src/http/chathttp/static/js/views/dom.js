/** Small helpers over the DOM. Text of users goes in as textContent only; no markup is ever parsed. */

/**
 * A copy of a template's content.
 *
 * @param {string} id of the template in index.html
 * @returns {{element: HTMLElement, refs: Record<string, HTMLElement>}} `refs` by the `data-ref` attributes
 */
export function instantiate(id) {
  const fragment = document.getElementById(id).content.cloneNode(true);
  const element = fragment.firstElementChild;
  const refs = {};
  if (element.dataset.ref) refs[element.dataset.ref] = element;
  for (const part of element.querySelectorAll('[data-ref]')) refs[part.dataset.ref] = part;
  return { element, refs };
}

/** Create an element with classes and text. */
export function element(tag, { className = '', text = '', ...properties } = {}) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return Object.assign(made, properties);
}

const rendered = new WeakMap();

/**
 * Make the children of `parent` show `rows`, reusing the elements of rows that were there before: focus, selection and scroll
 * position survive, and an element in its place is not moved.
 *
 * @template Row
 * @param {HTMLElement} parent whose children belong to this function alone
 * @param {Row[]} rows each with a unique `key`
 * @param {{create: (row: Row) => {element: HTMLElement, update: (row: Row) => void}}} view
 */
export function reconcile(parent, rows, { create }) {
  const entries = rendered.get(parent) ?? new Map();
  const keys = new Set(rows.map((row) => row.key));
  for (const [key, entry] of entries) {
    if (keys.has(key)) continue;
    entry.element.remove();
    entries.delete(key);
  }
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let next = parent.firstElementChild;
  for (const row of rows) {
    if (!entries.has(row.key)) entries.set(row.key, create(row));
    const entry = entries.get(row.key);
    entry.update(row);
    if (entry.element === next) next = next.nextElementSibling;
    else parent.insertBefore(entry.element, next);
  }
  if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true }); // a move takes the focus away
  rendered.set(parent, entries);
}

/** Set text without touching the node when it is the same: assistive technology reads changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const AVATAR_COLOURS = 8;

/** Fill an avatar: the picture if there is one, else the initials on a colour that stays the same for the id. */
export function showAvatar(node, { id, name, url = null, online = false }) {
  const state = `${id} ${name} ${url} ${online}`;
  if (node.dataset.shown === state) return;
  node.dataset.shown = state;
  const words = name.trim().split(/\s+/);
  const initials = [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...word][0] ?? '').join('');
  node.className = `avatar avatar-${colourOf(id)}${online ? ' is-online' : ''}`;
  node.replaceChildren(initials.toUpperCase());
  if (!url) return;
  const image = element('img', { alt: '', src: url, referrerPolicy: 'no-referrer', loading: 'lazy' });
  image.addEventListener('error', () => image.remove());
  node.append(image);
}

function colourOf(id) {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) >>> 0;
  return hash % AVATAR_COLOURS;
}

const TOAST_MS = 6_000;

/** Show a short notice at the edge of the screen, which assistive technology reads. */
export function toast(text) {
  const note = element('p', { className: 'toast', text });
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

/** Have assistive technology read a text that is already visible elsewhere. */
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}

/** Ask before something that cannot be undone. @returns {Promise<boolean>} */
export function confirmDialog(text, action) {
  const { element: dialog, refs } = instantiate('confirm-dialog');
  refs.text.textContent = text;
  refs.ok.textContent = action;
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'ok');
    });
  });
}
