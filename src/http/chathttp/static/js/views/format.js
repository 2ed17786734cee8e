/** Times and text in the user's language and time zone. */

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

const DAY_MS = 24 * 60 * 60 * 1000;

function daysAgo(date, now) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  // Rounded, since a day of a clock change has 23 or 25 hours.
  return Math.round((midnight(now) - midnight(date)) / DAY_MS);
}

export function timeOf(date) {
  return clock.format(date);
}

export function fullTime(date) {
  return full.format(date);
}

/** The name of a calendar day: Today, Yesterday, or the date. */
export function dayOf(date, now = new Date()) {
  const days = daysAgo(date, now);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return longDate.format(date);
}

/** As short as a list allows: the time today, the weekday this week, else the date. */
export function shortTime(date, now = new Date()) {
  const days = daysAgo(date, now);
  if (days <= 0) return clock.format(date);
  if (days < 7) return weekday.format(date);
  return shortDate.format(date);
}

const URL_PATTERN = /https?:\/\/[^\s<>"']+/g;

/** @returns {Array<string | {href: string}>} the text in pieces, its http(s) addresses apart */
export function splitLinks(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(URL_PATTERN)) {
    const href = match[0].replace(/[.,;:!?)\]]+$/, '');
    if (!URL.canParse(href)) continue;
    if (match.index > end) pieces.push(text.slice(end, match.index));
    pieces.push({ href });
    end = match.index + href.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
