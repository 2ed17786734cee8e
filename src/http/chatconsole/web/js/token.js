/** The console's token: for this tab only, and in the address no longer than the page needs to read it. */

const KEY = 'stackmentor.console.token';

/** What the address brought (`#token=…`), which is taken out of it, or what this tab had before; else null. */
export function takeToken() {
  const brought = new URLSearchParams(location.hash.slice(1)).get('token');
  if (brought !== null) {
    history.replaceState(null, '', location.pathname);
    keepToken(brought);
  }
  return sessionStorage.getItem(KEY);
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}
