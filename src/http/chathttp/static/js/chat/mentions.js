/** Mentions: an `@` that does not stand within a word, and a whole name. The rule is the server's; pure. */

const WORD = /[\p{L}\p{N}_]/u;
/** A name being typed is looked for so far back. */
const LONGEST_QUERY = 100;

const fold = (text) => text.normalize('NFC').toLowerCase();
const isWord = (text, index) => index >= 0 && index < text.length && WORD.test(text[index]);

/** @returns {{start: number, query: string} | null} the mention that is being typed before the caret; `start` is its `@` */
export function mentionBefore(text, caret) {
  const start = text.lastIndexOf('@', caret - 1);
  if (start < 0 || caret - start > LONGEST_QUERY || isWord(text, start - 1)) return null;
  const query = text.slice(start + 1, caret);
  return query.includes('\n') || query.startsWith(' ') ? null : { start, query };
}

/** @returns {Array<{userId: string, name: string}>} whose names begin with `query`, at most `limit` */
export function candidates(participants, query, limit = 8) {
  const wanted = fold(query);
  return participants.filter(({ name }) => name && fold(name).startsWith(wanted)).slice(0, limit);
}

/** @returns {Array<string | {mention: string}>} the text in pieces, its mentions apart; of names that fit the longest counts */
export function splitMentions(text, names) {
  const longestFirst = names.filter(Boolean).sort((left, right) => right.length - left.length);
  const pieces = [];
  let end = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    if (at < end || isWord(text, at - 1)) continue;
    const name = longestFirst.find((each) => {
      const after = at + 1 + each.length;
      return fold(text.slice(at + 1, after)) === fold(each) && !isWord(text, after);
    });
    if (name === undefined) continue;
    if (at > end) pieces.push(text.slice(end, at));
    end = at + 1 + name.length;
    pieces.push({ mention: text.slice(at, end) });
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
