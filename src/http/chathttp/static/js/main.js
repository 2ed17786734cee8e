/** Starts the client: the sign-in screen or the chat, whichever the session allows, and the way between them. */
import { ChatClient } from './chat/chat-client.js';
import { Api, ApiError } from './net/api.js';
import { Backoff } from './net/backoff.js';
import { Session, SignedOut } from './net/session.js';
import { chatView } from './views/chat-view.js';
import { signInView } from './views/sign-in.js';
import { toast } from './views/dom.js';

const app = document.getElementById('app');
const session = new Session();
const api = new Api(session);
const backoff = new Backoff();
let chat = null; // {client, view} while signed in

function showSignIn(notice = '') {
  const { element } = signInView({ session, notice, onSignedIn: () => void showChat() });
  app.replaceChildren(element);
  document.title = 'Stackmentor';
}

async function showChat() {
  let me;
  try {
    me = await api.me();
  } catch (error) {
    if (error instanceof SignedOut) return; // the session's event shows the sign-in screen
    if (!(error instanceof ApiError)) throw error;
    toast(error.message);
    await backoff.wait(error.retryAfter);
    return showChat();
  }
  backoff.reset();
  const client = new ChatClient({ session, api, me, socketUrl: socketUrl(), onOutboxChange: () => chat?.view.render() });
  const view = chatView({ client, onSignOut: signOut });
  chat = { client, view };
  app.replaceChildren(view.element);
  client.start();
}

function socketUrl() {
  const url = new URL('/ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Leave the chat on this page, whoever ended the session. */
function leave(notice) {
  if (chat !== null) {
    const { client, view } = chat;
    chat = null;
    view.destroy();
    void client.stop();
  }
  history.replaceState(null, '', '#/');
  showSignIn(notice);
}

async function signOut() {
  chat.client.outbox.clear();
  await session.signOut();
  leave('');
}

session.addEventListener('token', (event) => chat?.client.socket.renewToken(event.detail));
session.addEventListener('ended', () => leave('Your session has ended. Please sign in again.'));
window.addEventListener('online', () => chat?.client.socket.reconnectNow());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') chat?.client.socket.reconnectNow();
});
window.addEventListener('error', () => toast('Something went wrong. If it goes on, reload the page.'));
window.addEventListener('unhandledrejection', () => toast('Something went wrong. If it goes on, reload the page.'));

if (session.isSignedIn) void showChat();
else showSignIn();
