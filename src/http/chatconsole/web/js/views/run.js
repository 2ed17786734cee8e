/** Python in the node's loop, where the node was started with it allowed. */

import { element } from '../dom.js';
import { seconds } from '../format.js';
import { failureNode } from '../panel.js';

const KEPT = 50;

export class RunView {
  constructor(context) {
    this._context = context;
    this._source = element('textarea', { id: 'source', rows: '5', spellcheck: 'false', 'aria-label': 'Python, which may await' });
    this._output = element('ol', { class: 'runs', 'aria-label': 'What came of it, the latest first' });
    const button = element('button', { class: 'danger', text: 'Run (Ctrl+Enter)' });
    const form = element('form', { onsubmit: (event) => this._run(event) }, this._source, button);
    this._source.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.ctrlKey) form.requestSubmit();
    });
    const about = element('p', { class: 'hint', text: 'It runs in the node’s event loop. All of it is logged.' });
    this.element = element('div', { class: 'scrolled' }, about, form, this._output);
  }

  async _run(event) {
    event.preventDefault();
    const source = this._source.value;
    if (!source.trim()) return;
    const item = element('li', {}, element('pre', { text: source }), element('p', { class: 'hint', text: 'running…' }));
    this._output.prepend(item);
    while (this._output.childElementCount > KEPT) this._output.lastElementChild.remove();
    try {
      const ran = await this._context.link.ask({ op: 'run', source });
      const about = `${seconds(ran.seconds)}${ran.cut ? '; there was more' : ''}`;
      const output = element('pre', { class: 'output', text: ran.output });
      const parts = [output, failureNode(ran.failure), element('p', { class: 'hint', text: about })];
      item.replaceChildren(item.firstElementChild, ...parts.filter((part) => part !== null));
    } catch (error) {
      item.lastElementChild.textContent = `Refused: ${error.message}`;
    }
  }
}
