/** One actor: its mailbox, its times, its conversation, its last error, and what may be done to it. */

import { Chart, History } from '../chart.js';
import { element, reconcile, setText } from '../dom.js';
import { number, seconds } from '../format.js';
import { actorOffers, conversationOf } from '../offers.js';
import { failureNode } from '../panel.js';
import { COLUMNS } from './conversations.js';

const EVERYTHING = 2000;

export class ActorView {
  constructor(context) {
    this._context = context;
    this._name = '';
    this._errorShown = null;
    this._title = element('h3');
    this._none = element('p', { class: 'empty' });
    this._facts = element('dl', { class: 'facts' });
    this._room = element('dl', { class: 'facts' });
    this._error = element('div');
    this._depth = new Chart('Mailbox', [{ name: 'waiting', tone: 'first' }], number);
    this._rate = new Chart('Rate', [{ name: 'a second', tone: 'second' }], number);
    this._actions = {
      restart: element('button', { type: 'button', class: 'danger', text: 'Restart…', onclick: () => this._act('restart') }),
      passivate: element('button', { type: 'button', class: 'danger', text: 'Passivate…', onclick: () => this._act('passivate') }),
    };
    const follow = () => context.go('trace', this._conversation);
    this._follow = element('button', { type: 'button', text: 'Follow its messages', onclick: follow });
    this.tools = [this._follow, ...Object.values(this._actions)];
    this._body = element('div', { tabindex: '0' }, this._facts, this._room, this._depth.element, this._rate.element, this._error);
    this.element = element('div', { class: 'scrolled' }, this._title, this._none, this._body);
  }

  /** @param {string} name empty for the one that was shown last */
  enter(name) {
    if (name && name !== this._name) {
      this._name = name;
      this._depths = new History(120);
      this._rates = new History(120);
      this._errorShown = null;
      this._body.hidden = true;
    }
    setText(this._title, this._name);
    setText(this._none, this._name ? 'Looking…' : 'Choose an actor: press 2, then Enter on one.');
    this._none.hidden = false;
    for (const button of this.tools) button.hidden = true;
    if (!this._name) this._body.hidden = true;
  }

  wanted() {
    if (!this._name) return null;
    return { sections: ['actors', 'conversations'], grep: this._conversation ?? this._name, limit: EVERYTHING };
  }

  show({ actors, conversations }) {
    const actor = actors?.listed.find(({ name }) => name === this._name);
    setText(this._none, 'It does not run now.');
    this._none.hidden = actor !== undefined;
    this._body.hidden = actor === undefined;
    this._offer(actor !== undefined);
    if (!actor) return;
    this._depths.add([actor.depth]);
    this._rates.add([actor.rate ?? 0]);
    this._depth.draw(this._depths.samples);
    this._rate.draw(this._rates.samples);
    showFacts(this._facts, factsOf(actor));
    const room = conversations?.listed.find(({ id }) => id === this._conversation);
    showFacts(this._room, room ? COLUMNS.map((column) => [column.title, column.text(room)]) : []);
    const error = JSON.stringify(actor.lastError);
    if (error === this._errorShown) return;
    this._errorShown = error;
    const title = element('h3', { text: actor.lastError ? 'Last error' : 'No error so far' });
    this._error.replaceChildren(title, failureNode(actor.lastError) ?? '');
  }

  get _conversation() {
    return conversationOf(this._name);
  }

  _offer(runs) {
    const { allows } = this._context;
    this._follow.hidden = this._conversation === null;
    this._actions.restart.hidden = !allows('restart');
    this._actions.passivate.hidden = !runs || this._conversation === null || !allows('passivate');
  }

  _act(action) {
    this._context.act(action, action === 'passivate' ? this._conversation : this._name);
  }

  offers() {
    return this._name ? actorOffers(this._name) : [];
  }

  key(event) {
    if (event.key !== 'f' || this._follow.hidden) return false;
    this._follow.click();
    return true;
  }
}

function factsOf(actor) {
  return [
    ['state', actor.state],
    ['mailbox', `${number(actor.depth)} of ${number(actor.capacity)}`],
    ['when full', actor.full],
    ['oldest waits', seconds(actor.oldestAge)],
    ['busy for', seconds(actor.busyFor)],
    ['rate', `${number(actor.rate)} /s`],
    ['time spent, p50', seconds(actor.p50)],
    ['time spent, p99', seconds(actor.p99)],
    ['handled', number(actor.handled)],
    ['refused', number(actor.refused)],
    ['dropped', number(actor.dropped)],
    ['restarts', number(actor.restarts)],
  ];
}

function showFacts(list, facts) {
  reconcile(list, facts, ([name]) => name, () => {
    const made = element('div', {}, element('dt'), element('dd'));
    const update = ([name, value]) => {
      setText(made.firstElementChild, name);
      setText(made.lastElementChild, value);
    };
    return { element: made, update };
  });
}
