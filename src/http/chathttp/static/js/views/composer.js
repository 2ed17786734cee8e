/** Writing: a new message, or the change of an old one. A draft belongs to its conversation and survives going to another. */
import { ApiError } from '../net/api.js';
import { setText, toast } from './dom.js';

/** Code points, the server's limit for a message's text. */
const MAX_LENGTH = 10_000;
/** The text area grows to this many pixels, then scrolls. */
const MAX_HEIGHT = 180;

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient}} options
 */
export function composer(refs, { client }) {
  const { composer: form, draft, send, composerError: error, editing, cancelEdit } = refs;
  const drafts = new Map();
  const touch = matchMedia('(pointer: coarse)');
  let conversationId = null;
  let edited = null; // the message that is being changed

  function fit() {
    draft.style.height = 'auto';
    draft.style.height = `${Math.min(draft.scrollHeight, MAX_HEIGHT)}px`;
    const length = [...draft.value].length;
    send.disabled = draft.value.trim() === '' || length > MAX_LENGTH;
    setText(error, length > MAX_LENGTH ? `The message is ${length - MAX_LENGTH} characters too long.` : '');
  }

  function write(text) {
    draft.value = text;
    fit();
  }

  function edit(message) {
    if (edited === null) drafts.set(conversationId, draft.value);
    edited = message;
    editing.hidden = false;
    write(message.text);
    draft.focus();
  }

  function stopEditing() {
    edited = null;
    editing.hidden = true;
    write(drafts.get(conversationId) ?? '');
  }

  async function submitEdit(text) {
    const { id, text: before } = edited;
    stopEditing();
    if (text === before) return;
    try {
      await client.api.editMessage(id, text);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      toast(`The message was not changed. ${failure.message}`);
    }
  }

  /** @param {string | null} id of the conversation that is open now */
  function show(id) {
    if (id === conversationId) return;
    if (edited !== null) stopEditing();
    if (conversationId !== null) drafts.set(conversationId, draft.value);
    conversationId = id;
    write(drafts.get(id) ?? '');
    if (id !== null && !touch.matches) draft.focus();
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = draft.value.trim();
    if (send.disabled || conversationId === null) return;
    if (edited !== null) {
      submitEdit(text);
      return;
    }
    client.send(conversationId, text);
    drafts.delete(conversationId);
    write('');
    draft.focus();
  });

  draft.addEventListener('input', () => {
    fit();
    if (edited !== null) return;
    if (draft.value === '') client.typing.stopped();
    else client.typing.typed(conversationId);
  });

  // Enter sends, Shift+Enter breaks the line; on a touch keyboard, which has no Shift+Enter, the button sends.
  draft.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && edited !== null) stopEditing();
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || touch.matches) return;
    event.preventDefault();
    form.requestSubmit();
  });

  cancelEdit.addEventListener('click', stopEditing);
  fit();
  return { show, edit };
}
