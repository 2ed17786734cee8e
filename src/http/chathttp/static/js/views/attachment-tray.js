/** The files that go with the message being written. They belong to its conversation, as the draft does. */
import { ApiError } from '../net/api.js';
import { upload } from '../net/files.js';
import { element, setText } from './dom.js';

/** The server's limit for one message. */
const MOST_FILES = 5;

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, onChange: () => void}} options
 */
export function attachmentTray(refs, { client, onChange }) {
  const { tray, attach, fileInput, trayNote: note } = refs;
  const files = new Map(); // conversation id → [{name, id, ending}]; `id` is null while it goes up
  let conversationId = null;

  const here = () => files.get(conversationId) ?? [];

  function show(id) {
    conversationId = id;
    setText(note, '');
    render();
  }

  function render() {
    tray.replaceChildren(...here().map(chip));
    tray.hidden = here().length === 0;
    onChange();
  }

  function chip(file) {
    const button = element('button', { className: 'chip', type: 'button', text: `${file.name}${file.id ? '' : ' …'} ×` });
    button.setAttribute('aria-label', `Remove ${file.name}${file.id ? '' : ', uploading'}`);
    button.addEventListener('click', () => remove(conversationId, file));
    const item = element('li');
    item.append(button);
    return item;
  }

  function remove(id, file) {
    file.ending.abort();
    files.set(id, (files.get(id) ?? []).filter((other) => other !== file));
    render();
  }

  async function add(chosen) {
    const id = conversationId;
    const file = { name: chosen.name, id: null, ending: new AbortController() };
    files.set(id, [...here(), file]);
    render();
    try {
      file.id = await upload(client.api, chosen, file.ending.signal);
      render();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (file.ending.signal.aborted) return;
      remove(id, file);
      setText(note, `${file.name} was not attached. ${error.message}`);
    }
  }

  function addAll(list) {
    setText(note, '');
    const room = MOST_FILES - here().length;
    if (list.length > room) setText(note, `A message takes at most ${MOST_FILES} files.`);
    for (const chosen of [...list].slice(0, room)) void add(chosen);
  }

  attach.addEventListener('click', () => fileInput.click());
  fileInput.addEventListener('change', () => {
    addAll(fileInput.files);
    fileInput.value = '';
  });
  refs.draft.addEventListener('paste', (event) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    addAll(event.clipboardData.files);
  });

  return {
    show,
    isBusy: () => here().some(({ id }) => id === null),
    isEmpty: () => here().length === 0,
    /** @returns {string[]} the ids of what was attached, which is no more in the tray */
    take() {
      const ids = here().map(({ id }) => id);
      files.delete(conversationId);
      render();
      return ids;
    },
  };
}
