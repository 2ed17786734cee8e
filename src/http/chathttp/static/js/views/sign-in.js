/** Sign in, sign up, and the confirmation of the e-mail address. */
import { ApiError, request } from '../net/api.js';
import { instantiate } from './dom.js';

const DEMO_PASSWORD = 'Passw0rd!';
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * @param {{session: import('../net/session.js').Session, notice: string, onSignedIn: () => void}} options
 * @returns {{element: HTMLElement}}
 */
export function signInView({ session, notice, onSignedIn }) {
  const { element, refs } = instantiate('sign-in-view');
  const forms = { signIn: refs.signIn, signUp: refs.signUp, confirm: refs.confirm };
  let pending = null; // {email, password} of an account that waits for its code

  function show(name, text = '') {
    for (const [key, form] of Object.entries(forms)) form.hidden = key !== name;
    refs.notice.textContent = text;
    refs.notice.hidden = text === '';
    forms[name].querySelector('input').focus();
  }

  function askForCode(email, password) {
    pending = { email, password };
    refs.confirmEmail.textContent = email;
    show('confirm');
  }

  async function signIn(email, password) {
    try {
      await session.signIn(email, password);
    } catch (error) {
      if (!(error instanceof ApiError) || error.errorCode !== 'EMAIL_NOT_VERIFIED') throw error;
      askForCode(email, password);
      return;
    }
    onSignedIn();
  }

  handle(forms.signIn, refs.signInError, ({ email, password }) => signIn(email.trim(), password));

  handle(forms.signUp, refs.signUpError, async ({ name, email, password }) => {
    const account = { email: email.trim(), password, name: name.trim() };
    const { body } = await request('POST', '/auth/signup', { body: account });
    if (body.confirmationRequired) askForCode(account.email, password);
    else await signIn(account.email, password);
  });

  handle(forms.confirm, refs.confirmError, async ({ code }) => {
    await request('POST', '/auth/confirm', { body: { email: pending.email, code: code.trim() } });
    await signIn(pending.email, pending.password);
  });

  refs.resend.addEventListener('click', async () => {
    try {
      await request('POST', '/auth/resend-confirmation', { body: { email: pending.email } });
      show('confirm', 'A new code is on its way.');
    } catch (error) {
      refs.confirmError.textContent = explain(error);
    }
  });

  for (const button of element.querySelectorAll('[data-go]')) {
    button.addEventListener('click', () => show(button.dataset.go));
  }

  refs.demo.hidden = !LOCAL_HOSTS.has(location.hostname);
  for (const button of element.querySelectorAll('[data-demo]')) {
    button.addEventListener('click', () => {
      forms.signIn.elements.email.value = button.dataset.demo;
      forms.signIn.elements.password.value = DEMO_PASSWORD;
      forms.signIn.requestSubmit();
    });
  }

  queueMicrotask(() => show('signIn', notice));
  return { element };
}

/** Run a form's action with its fields; while it runs the button is off, and what it throws is said below the fields. */
function handle(form, errorNode, action) {
  const button = form.querySelector('[type=submit]');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    errorNode.textContent = '';
    button.disabled = true;
    try {
      await action(Object.fromEntries(new FormData(form)));
    } catch (error) {
      errorNode.textContent = explain(error);
    } finally {
      button.disabled = false;
    }
  });
}

function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  const details = Object.values(error.details ?? {});
  return error.errorCode === 'VALIDATION_ERROR' && details.length > 0 ? details.join(' ') : error.message;
}
