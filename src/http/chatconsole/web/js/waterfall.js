/** One message's way as bars: each hop from the one before it, each node's leg by its own clock. */

import { element } from './dom.js';
import { seconds } from './format.js';

/** Each hop of a leg with where its bar begins and how long it is, as shares of the whole. */
export function barsOf(leg, whole) {
  let before = 0;
  return leg.hops.map((hop) => {
    const from = Math.min(before, hop.at);
    before = hop.at;
    const bar = { name: hop.name, says: hop.says, at: hop.at, took: hop.at - from, from: 0, share: 0 };
    return whole > 0 ? { ...bar, from: from / whole, share: (hop.at - from) / whole } : bar;
  });
}

/** How long the longest of the legs is; seconds. */
export function lengthOf(trace) {
  return Math.max(0, ...trace.legs.flatMap((leg) => leg.hops.map(({ at }) => at)));
}

/** The way of `trace`, drawn anew. */
export function waterfallNode(trace) {
  const whole = lengthOf(trace);
  return element('div', { class: 'waterfall' }, ...trace.legs.flatMap((leg) => [legTitle(leg), legTable(leg, whole)]));
}

function legTitle(leg) {
  const where = leg.here ? 'this node' : 'node';
  const behind = leg.behind === null ? '' : `, heard of ${seconds(leg.behind)} after its publication, by both wall clocks`;
  return element('h3', { text: `${where} ${leg.node}${behind}` });
}

function legTable(leg, whole) {
  const rows = barsOf(leg, whole).map((bar) => {
    const drawn = element('span', { class: 'bar-drawn', 'aria-hidden': 'true' });
    drawn.style.setProperty('--from', `${(bar.from * 100).toFixed(2)}%`);
    drawn.style.setProperty('--share', `${(bar.share * 100).toFixed(2)}%`);
    return element(
      'tr',
      {},
      element('th', { scope: 'row', text: bar.name }),
      element('td', { class: 'numeric', text: seconds(bar.at) }),
      element('td', { class: 'numeric', text: `+${seconds(bar.took)}` }),
      element('td', { class: 'bar-cell' }, drawn),
      element('td', { text: bar.says }),
    );
  });
  const heads = ['hop', 'at', 'took', '', ''].map((text) => element('th', { scope: 'col', text }));
  return element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows));
}
