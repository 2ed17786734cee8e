/** Writing: a new message, an answer, or the change of an old one. A draft belongs to its conversation and survives going to another. */
import { ApiError } from '../net/api.js';
import { attachmentTray } from './attachment-tray.js';
import { setText, toast } from './dom.js';
import { mentionPicker } from './mention-picker.js';

/** Code points, the server's limit for a message's text. */
const MAX_LENGTH = 10_000;
/** The text area grows to this many pixels, then scrolls. */
const MAX_HEIGHT = 180;

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, participants: () => object[]}} options
 */
export function composer(refs, { client, participants }) {
  const { composer: form, draft, send, composerError: error, editing, editingText, cancelEdit } = refs;
  const tray = attachmentTray(refs, { client, onChange: fit });
  const picker = mentionPicker(refs, { participants, onChange: fit });
  const drafts = new Map();
  const touch = matchMedia('(pointer: coarse)');
  let conversationId = null;
  let edited = null; // the message that is being changed
  let answered = null; // the message that is being answered

  function fit() {
    draft.style.height = 'auto';
    draft.style.height = `${Math.min(draft.scrollHeight, MAX_HEIGHT)}px`;
    const length = [...draft.value].length;
    const isEmpty = draft.value.trim() === '' && (edited !== null || tray.isEmpty());
    send.disabled = isEmpty || length > MAX_LENGTH || (edited === null && tray.isBusy());
    setText(error, length > MAX_LENGTH ? `The message is ${length - MAX_LENGTH} characters too long.` : '');
  }

  function write(text) {
    draft.value = text;
    fit();
  }

  /** The line above the draft says what it is for; empty for a message of its own. */
  function showPurpose() {
    const text = edited !== null ? 'Editing a message' : answered !== null ? `Answering ${answered.senderName}` : '';
    editing.hidden = text === '';
    setText(editingText, text);
    cancelEdit.setAttribute('aria-label', edited !== null ? 'Stop editing' : 'Do not answer');
    refs.attach.disabled = edited !== null;
  }

  function reply(message) {
    if (edited !== null) stopEditing();
    answered = message;
    showPurpose();
    draft.focus();
  }

  function stopAnswering() {
    answered = null;
    showPurpose();
  }

  function edit(message) {
    if (edited === null) drafts.set(conversationId, draft.value);
    edited = message;
    answered = null;
    showPurpose();
    write(message.text);
    draft.focus();
  }

  function stopEditing() {
    edited = null;
    showPurpose();
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
    stopAnswering();
    picker.close();
    tray.show(id);
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
    client.send(conversationId, text, { attachmentIds: tray.take(), replyTo: answered?.id ?? null });
    drafts.delete(conversationId);
    stopAnswering();
    write('');
    draft.focus();
  });

  draft.addEventListener('input', () => {
    fit();
    picker.update();
    if (edited !== null) return;
    if (draft.value === '') client.typing.stopped();
    else client.typing.typed(conversationId);
  });

  // Enter sends, Shift+Enter breaks the line; on a touch keyboard, which has no Shift+Enter, the button sends.
  draft.addEventListener('keydown', (event) => {
    if (picker.handles(event)) return;
    if (event.key === 'Escape') cancel();
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || touch.matches) return;
    event.preventDefault();
    form.requestSubmit();
  });

  function cancel() {
    if (edited !== null) stopEditing();
    else if (answered !== null) stopAnswering();
  }

  cancelEdit.addEventListener('click', cancel);
  showPurpose();
  fit();
  return { show, edit, reply };
}
