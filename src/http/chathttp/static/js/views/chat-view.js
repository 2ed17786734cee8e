/** The signed-in screen: sidebar, open conversation, and the state of the connection. */
import { conversationTitle, totalUnread } from '../chat/selectors.js';
import { confirmDialog, instantiate, setText, showAvatar, toast } from './dom.js';
import { conversationList } from './conversation-list.js';
import { conversationPane } from './conversation-pane.js';
import { openNewConversation } from './new-conversation.js';
import { searchBox } from './search-box.js';

const APP_NAME = 'Stackmentor';
const HASH = /^#\/c\/([0-9a-f-]{36})$/;

const CONNECTION = {
  connecting: { text: '', action: '' },
  online: { text: '', action: '' },
  offline: { text: 'No connection. Messages are kept and sent later.', action: 'Try now' },
  refused: { text: 'The server refused this page.', action: 'Reload' },
};

/**
 * @param {{client: import('../chat/chat-client.js').ChatClient, onSignOut: () => void}} options
 * @returns {{element: HTMLElement, render: () => void, destroy: () => void}}
 */
export function chatView({ client, onSignOut }) {
  const { element, refs } = instantiate('chat-view');
  const renderList = conversationList(refs, { client, onOpen: go });
  searchBox(refs, { client, onOpen: reveal });
  const pane = conversationPane(refs, { client, onClose: () => go(null) });

  /** The address names the open conversation, so that back, reload and links work. */
  function go(id) {
    location.hash = id === null ? '#/' : `#/c/${id}`;
  }

  async function reveal({ conversationId, seq }) {
    go(conversationId);
    await client.open(conversationId);
    if (await client.reach(conversationId, seq)) setTimeout(() => pane.reveal(seq), 0); // once it is rendered
    else toast('The message is further back than could be loaded.');
  }

  const wanted = () => HASH.exec(location.hash)?.[1] ?? null;

  function follow() {
    client.open(wanted());
  }

  function showConnection(connection) {
    const { text, action } = CONNECTION[connection];
    refs.connection.hidden = text === '';
    setText(refs.connectionText, text);
    setText(refs.connectionAction, action);
  }

  function render() {
    const state = client.store.getState();
    if (wanted() !== state.openId && state.conversations[wanted()]) follow(); // a link, opened before the list was there
    const unread = totalUnread(state);
    const open = state.conversations[state.openId];
    const place = open ? `${conversationTitle(open, client.me.id)} · ${APP_NAME}` : APP_NAME;
    document.title = unread > 0 ? `(${unread}) ${place}` : place;
    showConnection(state.connection);
    renderList(state);
    pane.render(state);
  }

  showAvatar(refs.myAvatar, { id: client.me.id, name: client.me.name, url: client.me.profilePictureUrl });
  refs.myName.textContent = client.me.name;
  refs.compose.addEventListener('click', () => openNewConversation({ client, onCreated: go }));
  refs.connectionAction.addEventListener('click', () => {
    if (client.store.getState().connection === 'refused') location.reload();
    else client.socket.reconnectNow();
  });
  refs.signOut.addEventListener('click', async () => {
    const unsent = client.outbox.unsent().length;
    const question = `${unsent === 1 ? 'One message has' : `${unsent} messages have`} not been sent and will be lost.`;
    if (unsent > 0 && !(await confirmDialog(question, 'Sign out'))) return;
    onSignOut();
  });

  window.addEventListener('hashchange', follow);
  const stopListening = client.store.subscribe(render);
  follow();
  render();

  return {
    element,
    render,
    destroy() {
      window.removeEventListener('hashchange', follow);
      stopListening();
      element.remove();
    },
  };
}
