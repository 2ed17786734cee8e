/** Full-text search in all of the user's conversations, in place of the list while there is something to look for. */
import { conversationTitle } from '../chat/selectors.js';
import { ApiError } from '../net/api.js';
import { element, setText } from './dom.js';
import { shortTime } from './format.js';

const SEARCH_DELAY_MS = 250;

/**
 * @param {Record<string, HTMLElement>} refs of the chat view
 * @param {{client: import('../chat/chat-client.js').ChatClient, onOpen: (message: object) => void}} options
 */
export function searchBox(refs, { client, onOpen }) {
  const { search: input, searchResults: list, searchNote: note, conversationScroll: conversations, searching } = refs;
  let timer = null;
  let asked = 0; // the search whose answer counts

  function result({ message, excerpt }) {
    const conversation = client.store.getState().conversations[message.conversationId];
    const title = conversation ? conversationTitle(conversation, client.me.id) : message.senderName;
    const button = element('button', { className: 'found', type: 'button' });
    const text = element('span', { className: 'found-text' });
    text.append(`${message.senderName}: `, ...excerpt.map((piece) => (piece.isMatch ? element('mark', { text: piece.text }) : piece.text)));
    button.append(
      element('strong', { text: title }),
      element('time', { text: shortTime(new Date(message.timestamp)), dateTime: message.timestamp }),
      text,
    );
    button.addEventListener('click', () => {
      clear();
      onOpen(message);
    });
    const item = element('li');
    item.append(button);
    return item;
  }

  function clear() {
    input.value = '';
    void look();
  }

  async function look() {
    clearTimeout(timer);
    const query = input.value.trim();
    asked += 1;
    const mine = asked;
    conversations.hidden = query !== '';
    searching.hidden = query === '';
    if (query === '') {
      list.replaceChildren();
      setText(note, '');
      return;
    }
    try {
      const hits = await client.api.searchMessages(query);
      if (mine !== asked) return;
      list.replaceChildren(...hits.map(result));
      setText(note, hits.length === 0 ? 'Nothing found.' : `${hits.length === 1 ? 'One message' : `${hits.length} messages`} found.`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine === asked) setText(note, error.message);
    }
  }

  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(look, SEARCH_DELAY_MS);
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') clear();
    if (event.key === 'Enter') void look();
  });
}
