/** Files on their way to and from the place that the server names, which takes no token: the link is the permission. */
import { ApiError } from './api.js';

/** A file that has not gone up after this time is given up, ms. */
const UPLOAD_TIMEOUT_MS = 30 * 60 * 1000;

/**
 * @param {import('./api.js').Api} api
 * @param {File} file
 * @param {AbortSignal} signal ends the upload
 * @returns {Promise<string>} the attachment's id
 * @throws {ApiError} also when the storage refuses
 */
export async function upload(api, file, signal) {
  const contentType = file.type || 'application/octet-stream';
  const { attachmentId, uploadUrl, method, headers } = await api.promiseAttachment({ fileName: file.name, contentType, size: file.size });
  const answer = await reach(uploadUrl, {
    method,
    headers,
    body: file,
    signal: AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_TIMEOUT_MS)]),
  });
  if (!answer.ok) throw refusal(answer);
  return attachmentId;
}

/** @returns {Promise<{name: string, type: string}>} of the file behind a download link; its body is not read */
export async function describe(downloadUrl) {
  const ending = new AbortController();
  const answer = await reach(downloadUrl, { signal: ending.signal });
  const { ok, headers } = answer;
  ending.abort();
  if (!ok) throw refusal(answer);
  return { name: fileName(headers.get('Content-Disposition') ?? '') ?? 'Attachment', type: headers.get('Content-Type') ?? '' };
}

/** @returns {string | null} the name that a Content-Disposition gives (RFC 6266) */
export function fileName(disposition) {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition);
  if (encoded) return decodeURIComponent(encoded[1]);
  const quoted = /filename="((?:[^"\\]|\\.)*)"/i.exec(disposition);
  return quoted ? quoted[1].replace(/\\(.)/g, '$1') : null;
}

async function reach(url, options) {
  try {
    return await fetch(url, { ...options, referrerPolicy: 'no-referrer' });
  } catch (error) {
    throw new ApiError(0, { errorCode: 'NETWORK', message: 'The file storage cannot be reached.', details: { cause: String(error) } });
  }
}

function refusal({ status }) {
  return new ApiError(status, { errorCode: 'INTERNAL_ERROR', message: `The file storage answered ${status}.` });
}
