/** The dialog that starts a conversation: search people, choose one for a direct conversation or several for a group. */
import { ApiError } from '../net/api.js';
import { element, instantiate, setText, showAvatar } from './dom.js';

const SEARCH_DELAY_MS = 250;

/** @param {{client: import('../chat/chat-client.js').ChatClient, onCreated: (id: string) => void}} options */
export function openNewConversation({ client, onCreated }) {
  const { element: dialog, refs } = instantiate('new-conversation-dialog');
  const chosen = new Map();
  let found = [];
  let timer = null;
  let asked = 0; // the search whose answer counts

  function showChosen() {
    refs.chosen.replaceChildren(
      ...[...chosen.values()].map((user) => {
        const chip = element('button', { className: 'chip', type: 'button', text: `${user.name} ×` });
        chip.setAttribute('aria-label', `Remove ${user.name}`);
        chip.addEventListener('click', () => toggle(user));
        const item = element('li');
        item.append(chip);
        return item;
      }),
    );
    refs.nameField.hidden = chosen.size < 2;
    refs.create.disabled = chosen.size === 0;
    refs.create.textContent = chosen.size < 2 ? 'Start' : 'Create group';
  }

  function showFound() {
    refs.results.replaceChildren(
      ...found.map((user) => {
        const button = element('button', { className: 'result', type: 'button' });
        const face = element('span');
        face.setAttribute('aria-hidden', 'true');
        showAvatar(face, { id: user.id, name: user.name, url: user.profilePictureUrl });
        button.append(face, element('span', { text: user.name }));
        button.setAttribute('aria-pressed', String(chosen.has(user.id)));
        button.addEventListener('click', () => toggle(user));
        const item = element('li');
        item.append(button);
        return item;
      }),
    );
  }

  function toggle(user) {
    if (!chosen.delete(user.id)) chosen.set(user.id, user);
    showChosen();
    showFound();
    refs.search.focus();
  }

  async function search() {
    const text = refs.search.value.trim();
    asked += 1;
    const mine = asked;
    if (text === '') {
      found = [];
      setText(refs.note, '');
      showFound();
      return;
    }
    try {
      const users = await client.api.searchUsers(text);
      if (mine !== asked) return;
      found = users.filter((user) => user.id !== client.me.id);
      setText(refs.note, found.length === 0 ? 'Nobody by that name.' : '');
      showFound();
    } catch (error) {
      if (mine === asked) setText(refs.note, explain(error));
    }
  }

  refs.search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(search, SEARCH_DELAY_MS);
  });

  refs.form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const isGroup = chosen.size > 1;
    const name = refs.name.value.trim();
    if (isGroup && name === '') {
      setText(refs.error, 'A group needs a name.');
      refs.name.focus();
      return;
    }
    refs.create.disabled = true;
    try {
      const type = isGroup ? 'GROUP' : 'DIRECT';
      const id = await client.create({ type, participantIds: [...chosen.keys()], name: isGroup ? name : undefined });
      dialog.close();
      onCreated(id);
    } catch (error) {
      setText(refs.error, explain(error));
      refs.create.disabled = false;
    }
  });

  refs.close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    clearTimeout(timer);
    dialog.remove();
  });
  document.body.append(dialog);
  showChosen();
  dialog.showModal();
  refs.search.focus();
}

function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  return error.message;
}
