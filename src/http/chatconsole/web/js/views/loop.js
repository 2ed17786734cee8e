/** The event loop: how late it is, what held it up, and the longest steps. */

import { placeItem } from '../banner.js';
import { Chart, History } from '../chart.js';
import { element, reconcile, setText } from '../dom.js';
import { clock, fullPlace, number, place, seconds } from '../format.js';

export class LoopView {
  constructor() {
    this._history = new History();
    this._loop = null;
    const lines = [{ name: 'now', tone: 'first' }, { name: 'p99 of a minute', tone: 'second' }];
    this._chart = new Chart('Lag of the loop', lines, seconds);
    this._about = element('p', { class: 'hint' });
    this._stalls = element('ol', { class: 'stalls', 'aria-label': 'Stalls, the latest first' });
    this._steps = element('ol', { class: 'steps', 'aria-label': 'Longest steps since somebody watches' });
    this.element = element(
      'div',
      { class: 'scrolled' },
      this._about,
      this._chart.element,
      element('h3', { text: 'Stalls' }),
      this._stalls,
      element('h3', { text: 'Longest steps' }),
      this._steps,
    );
  }

  /** Times each step of the loop as long as somebody looks at it. */
  wanted() {
    return { sections: ['loop'], steps: true };
  }

  base({ loop }) {
    this._history.add([loop.blocked?.lasted ?? loop.lag, loop.lagP99]);
  }

  show({ loop }) {
    this._loop = loop;
    this._draw();
  }

  enter() {
    this._draw();
  }

  _draw() {
    const loop = this._loop;
    if (!loop) return;
    this._chart.draw(this._history.samples);
    const now = loop.blocked ? 'blocked now' : `${number(loop.tasks)} tasks`;
    setText(this._about, `lag ${seconds(loop.lag)}, at most ${seconds(loop.lagMax)} in the last minute; ${now}`);
    reconcile(this._stalls, loop.stalls, (stall) => String(stall.at), stallItem);
    reconcile(this._steps, loop.longest, (_, index) => String(index), stepItem);
  }
}

function stallItem() {
  const summary = element('summary');
  const stack = element('ol', { class: 'stack' });
  const made = element('li', {}, element('details', {}, summary, stack));
  const update = (stall) => {
    setText(summary, `${clock(stall.at)}: ${stall.cause} of ${seconds(stall.lasted)}, ${stall.task ?? '?'} at ${place(stall.where)}`);
    summary.title = fullPlace(stall.where);
    if (stack.childElementCount !== stall.stack.length) reconcile(stack, stall.stack, (_, index) => String(index), placeItem);
  };
  return { element: made, update };
}

function stepItem() {
  const made = element('li');
  const update = (step) => {
    setText(made, `${seconds(step.lasted)}: ${step.task}, up to ${place(step.where)}`);
    made.title = fullPlace(step.where);
  };
  return { element: made, update };
}
