/** The console of one node: what is watched, which view shows it, and the keys. */

import { confirmAction, openActions, showKeys } from './dialogs.js';
import { element, setText } from './dom.js';
import { Banner } from './banner.js';
import { clock, seconds } from './format.js';
import { Link } from './link.js';
import { Panel } from './panel.js';
import { VIEWS } from './views/all.js';

const EVERY = 1.0;
const SILENT_MS = 3_500;
const STATES = { connecting: 'connecting…', lost: 'connection lost, trying again…' };
const byId = (id) => document.getElementById(id);

export class App {
  /** @param {(why: string) => void} onEnd when the token is needed again */
  constructor(token, onEnd) {
    this._onEnd = onEnd;
    this._state = 'connecting';
    this._link = new Link(token, (state) => this._changed(state));
    this._abort = new AbortController();
    this._panel = new Panel(byId('panel'));
    this._banner = new Banner(byId('blocked'));
    this._stop = { base: null, view: null };
    this._latest = { base: null, view: null };
    this._scheduled = false;
    this._paused = false;
    this._node = null;
    this._heard = 0;
    const context = {
      link: this._link,
      panel: this._panel,
      node: () => this._node,
      act: (action, target = '', value = '') => confirmAction(this._link, { action, target, value }),
      allows: (action) => Boolean(this._node && !this._node.readOnly && this._node.actions.includes(action)),
      go: (view, argument = '') => this._go(view, argument),
      refresh: () => this._watchView(),
    };
    this._views = new Map(VIEWS.map(({ id, make }) => [id, make(context)]));
    this._filters = new Map();
  }

  start() {
    byId('console').hidden = false;
    const { signal } = this._abort;
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
    on(window, 'hashchange', () => this._route());
    on(document, 'visibilitychange', () => this._rewatch());
    on(document, 'keydown', (event) => this._key(event));
    on(byId('pause'), 'click', () => this._pause());
    on(byId('help'), 'click', () => showKeys(VIEWS));
    on(byId('leave'), 'click', () => this._end('Detached.'));
    on(byId('actions'), 'click', () => this._act());
    this._clock = setInterval(() => this._tell(), 500);
    this._drawTabs();
    this._route();
    this._link.open();
  }

  close() {
    this._link.close();
    this._abort.abort();
    clearInterval(this._clock);
    this._view?.leave?.();
    this._panel.close();
    byId('console').hidden = true;
    byId('view').replaceChildren();
  }

  _end(why) {
    this.close();
    this._onEnd(why);
  }

  _changed(state) {
    this._state = state;
    if (state === 'unauthorized') this._end('This token is not, or no longer, the node’s: each start has a new one.');
    else if (state === 'live' && !this._stop.base) this._rewatch();
    this._tell();
  }

  // What is watched: nothing while the page is not to be seen

  _rewatch() {
    this._unwatch('base');
    if (!document.hidden) this._stop.base = this._stream('base', { sections: ['loop', 'warnings'] });
    this._watchView();
  }

  _watchView() {
    this._unwatch('view');
    const wanted = this._view?.wanted?.();
    if (wanted && !document.hidden && !this._paused) this._stop.view = this._stream('view', wanted);
  }

  _unwatch(which) {
    this._stop[which]?.();
    this._stop[which] = null;
  }

  _stream(which, view) {
    return this._link.stream({ op: 'watch', view, every: EVERY }, (answer) => {
      this._heard = performance.now();
      if (answer.type !== 'snapshot') {
        this._told = `refused: ${answer.message}`;
        return;
      }
      this._latest[which] = answer.snapshot;
      this._schedule();
    });
  }

  /** Once a frame at most, however many answers have come. */
  _schedule() {
    if (this._scheduled) return;
    this._scheduled = true;
    requestAnimationFrame(() => {
      this._scheduled = false;
      const { base, view } = this._latest;
      this._latest = { base: null, view: null };
      if (base) this._drawBase(base);
      if (view && !this._paused) this._drawView(view);
    });
  }

  _drawBase(snapshot) {
    this._node = snapshot.node;
    const { node, loop, warnings = [] } = snapshot;
    const about = `process ${node.pid} · ${node.version} · ${node.url} · up ${seconds(snapshot.at - node.started)}`;
    setText(byId('node'), about + (node.readOnly ? ' · read-only' : ''));
    document.title = `${warnings.length ? `(${warnings.length}) ` : ''}Console ${node.pid}`;
    byId('actions').hidden = node.readOnly;
    const replTab = byId('tab-run');
    replTab.hidden = !node.repl;
    setText(byId('tab-warnings').querySelector('.count'), warnings.length ? String(warnings.length) : '');
    this._banner.show(loop.blocked ?? null);
    this._told = `live · ${clock(snapshot.at)}`;
    for (const view of this._views.values()) view.base?.(snapshot);
    this._tell();
  }

  _drawView(snapshot) {
    const wanted = this._view.wanted?.();
    if (!wanted) return;
    const missing = wanted.sections.filter((section) => snapshot[section] === undefined);
    const isKnown = missing.length < wanted.sections.length;
    byId('view').toggleAttribute('data-stale', !isKnown);
    if (isKnown) this._view.show(snapshot);
  }

  _tell() {
    let text = STATES[this._state] ?? this._told ?? 'live';
    const silent = performance.now() - this._heard;
    if (this._state === 'live' && this._heard && silent > SILENT_MS && !document.hidden) {
      text = `no answer for ${seconds(silent / 1000)}`;
    }
    if (this._paused) text += ' · paused';
    setText(byId('status'), text);
    byId('status').dataset.state = this._state;
  }

  // Views

  _drawTabs() {
    const tabs = VIEWS.map(({ id, title, key }) =>
      element(
        'a',
        { id: `tab-${id}`, href: `#${id}`, hidden: id === 'run' },
        element('kbd', { 'aria-hidden': 'true', text: key }),
        title,
        id === 'warnings' ? element('span', { class: 'count' }) : null,
      ),
    );
    byId('views').replaceChildren(...tabs);
  }

  _go(view, argument = '') {
    location.hash = argument ? `#${view}/${encodeURIComponent(argument)}` : `#${view}`;
  }

  _route() {
    const [name, argument = ''] = location.hash.slice(1).split('/', 2);
    const id = this._views.has(name) ? name : VIEWS[0].id;
    this._view?.leave?.();
    this._view = this._views.get(id);
    for (const tab of byId('views').children) {
      if (tab.id === `tab-${id}`) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
    }
    this._panel.close();
    this._view.enter?.(decodeURIComponent(argument));
    const { title } = VIEWS.find((each) => each.id === id);
    byId('view').removeAttribute('data-stale');
    byId('view').replaceChildren(this._tools(id, title), this._view.element);
    this._watchView();
    this._focusView();
  }

  _focusView() {
    (this._view.main ?? this._view.element.querySelector('[tabindex="0"]'))?.focus({ preventScroll: true });
  }

  _tools(id, title) {
    const view = this._view;
    const parts = [element('h2', { text: title })];
    if (view.filter) {
      const input = element('input', { id: 'filter', type: 'search', placeholder: 'filter  /', 'aria-label': 'Filter' });
      input.value = this._filters.get(id) ?? '';
      input.addEventListener('input', () => {
        this._filters.set(id, input.value);
        view.filter(input.value.trim());
      });
      parts.push(input);
    }
    return element('div', { class: 'tools' }, ...parts, ...(view.tools ?? []));
  }

  // Keys

  _act() {
    if (!this._node || this._node.readOnly) return;
    const offers = (this._view.offers?.() ?? []).filter(({ action }) => this._node.actions.includes(action));
    openActions(this._node, offers, (request) => confirmAction(this._link, request));
  }

  _pause() {
    this._paused = !this._paused;
    byId('pause').setAttribute('aria-pressed', String(this._paused));
    setText(byId('pause'), this._paused ? 'Go on' : 'Pause');
    this._watchView();
    this._tell();
  }

  _key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector('dialog[open]')) return;
    if (event.target.closest('input, textarea, select')) {
      if (event.key === 'Escape') this._focusView();
      return;
    }
    const view = VIEWS.find(({ id, key }) => key === event.key && !byId(`tab-${id}`).hidden);
    if (view) this._go(view.id);
    else if (event.key === '/') byId('filter')?.focus();
    else if (event.key === '?') showKeys(VIEWS);
    else if (event.key === 'a') this._act();
    else if (event.key === ' ' && !event.target.closest('button, summary, a')) this._pause();
    else if (event.key === 'Escape') this._panel.close();
    else if (!this._view.key?.(event)) return;
    event.preventDefault();
  }
}
