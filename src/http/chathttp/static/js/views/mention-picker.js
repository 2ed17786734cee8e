/** The names to choose from after an `@` in the draft: a listbox that the draft keeps the focus over (ARIA APG, "Combobox"). */
import { candidates, mentionBefore } from '../chat/mentions.js';
import { element } from './dom.js';

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{participants: () => object[], onChange: () => void}} options `participants` who may be mentioned
 * @returns {{update: () => void, handles: (event: KeyboardEvent) => boolean, close: () => void}}
 */
export function mentionPicker(refs, { participants, onChange }) {
  const { draft, mentions: list } = refs;
  let found = [];
  let chosen = 0;

  function close() {
    found = [];
    render();
  }

  function update() {
    const mention = draft.selectionStart === draft.selectionEnd ? mentionBefore(draft.value, draft.selectionStart) : null;
    found = mention === null ? [] : candidates(participants(), mention.query);
    chosen = 0;
    render();
  }

  function render() {
    list.hidden = found.length === 0;
    list.replaceChildren(...found.map(option));
    if (found.length === 0) draft.removeAttribute('aria-activedescendant');
    else draft.setAttribute('aria-activedescendant', `mention-${chosen}`);
  }

  function option({ name }, index) {
    const item = element('li', { id: `mention-${index}`, role: 'option', text: `@${name}` });
    item.setAttribute('aria-selected', String(index === chosen));
    item.addEventListener('pointerdown', (event) => {
      event.preventDefault(); // the draft keeps the focus
      take(index);
    });
    return item;
  }

  function take(index) {
    const { start } = mentionBefore(draft.value, draft.selectionStart);
    draft.setRangeText(`@${found[index].name} `, start, draft.selectionStart, 'end');
    close();
    onChange();
  }

  /** @returns {boolean} that a key of the draft was for the list */
  function handles(event) {
    if (found.length === 0 || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      chosen = (chosen + step + found.length) % found.length;
      render();
    } else if (event.key === 'Enter' || event.key === 'Tab') take(chosen);
    else if (event.key === 'Escape') close();
    else return false;
    event.preventDefault();
    return true;
  }

  draft.addEventListener('blur', close);
  return { update, handles, close };
}
