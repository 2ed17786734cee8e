/** The way in: a token by the address or by the form, then the console until it is left or the token is refused. */

import { App } from './app.js';
import { forgetToken, keepToken, takeToken } from './token.js';

const door = document.getElementById('door');
const form = document.getElementById('token-form');
const notice = document.getElementById('door-notice');

let app = null;

function attach(token) {
  door.hidden = true;
  app = new App(token, (why) => {
    app = null;
    forgetToken();
    ask(why);
  });
  app.start();
}

function ask(why) {
  notice.textContent = why;
  door.hidden = false;
  form.elements.token.focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const token = form.elements.token.value.trim();
  form.reset();
  if (!/^[\w-]+$/.test(token)) {
    ask('That is no token of a console.');
    return;
  }
  keepToken(token);
  attach(token);
});

// A link with a token, opened where the page already is, changes the fragment only.
window.addEventListener('hashchange', () => {
  if (!location.hash.startsWith('#token=')) return;
  app?.close();
  attach(takeToken());
});

const token = takeToken();
if (token) attach(token);
else ask('');
