/** The attachments of a message: pictures are shown, everything can be downloaded. Links last minutes, so each use gets a new one. */
import { ApiError } from '../net/api.js';
import { describe } from '../net/files.js';
import { element, toast } from './dom.js';

const SHOWN = /^image\/(avif|gif|jpeg|png|webp)$/;

/**
 * @param {HTMLElement} list
 * @param {string[]} urls stable ones, as messages bear them
 * @param {import('../net/api.js').Api} api
 */
export function showAttachments(list, urls, api) {
  const shown = urls.join(' ');
  if ((list.dataset.shown ?? '') === shown) return;
  list.dataset.shown = shown;
  list.hidden = urls.length === 0;
  list.replaceChildren(...urls.map((url, index) => attachment(url, `Attachment ${index + 1}`, api)));
}

function attachment(url, label, api) {
  const item = element('li');
  const button = element('button', { className: 'chip', type: 'button', text: label });
  button.addEventListener('click', () => void download(url, api));
  item.append(button);
  const watching = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    watching.disconnect();
    void look(url, api, item, button);
  });
  watching.observe(item);
  return item;
}

async function look(url, api, item, button) {
  try {
    const link = await api.attachmentLink(url);
    const { name, type } = await describe(link);
    button.textContent = name;
    button.setAttribute('aria-label', `Download ${name}`);
    if (!SHOWN.test(type)) return;
    const image = element('img', { className: 'picture', alt: name, referrerPolicy: 'no-referrer' });
    image.addEventListener('error', () => image.remove());
    image.src = link;
    item.prepend(image);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the button says why when it is pressed
  }
}

async function download(url, api) {
  try {
    const link = element('a', { href: await api.attachmentLink(url), rel: 'noopener noreferrer', download: '' });
    link.click();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(`The file was not downloaded. ${error.message}`);
  }
}
