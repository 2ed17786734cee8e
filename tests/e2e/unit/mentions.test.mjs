import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidates, mentionBefore, splitMentions } from '../../../src/http/chathttp/static/js/chat/mentions.js';
import { fileName } from '../../../src/http/chathttp/static/js/net/files.js';

test('a mention begins with an @ that stands alone, and ends with the line', () => {
  assert.deepEqual(mentionBefore('Hi @bo', 6), { start: 3, query: 'bo' });
  assert.deepEqual(mentionBefore('@Bob Mar', 8), { start: 0, query: 'Bob Mar' });
  for (const text of ['a@bo', 'Hi bo', '@bo\nx', '@ bo', '']) assert.equal(mentionBefore(text, text.length), null, text);
});

test('names that begin so are offered, in any case', () => {
  const people = ['Bob', 'bobby', 'Alice'].map((name) => ({ userId: name, name }));
  assert.deepEqual(candidates(people, 'BO').map(({ name }) => name), ['Bob', 'bobby']);
  assert.deepEqual(candidates(people, '', 2).map(({ name }) => name), ['Bob', 'bobby']);
  assert.deepEqual(candidates(people, 'Bob '), []);
});

test('mentions are found as the server finds them', () => {
  const names = ['Bob', 'Bob Marley', 'Ann'];
  assert.deepEqual(splitMentions('Hi @bob marley, @Ann!', names), ['Hi ', { mention: '@bob marley' }, ', ', { mention: '@Ann' }, '!']);
  assert.deepEqual(splitMentions('@Bobby a@Ann @', names), ['@Bobby a@Ann @']);
  assert.deepEqual(splitMentions('@Bob @Bob', names), [{ mention: '@Bob' }, ' ', { mention: '@Bob' }]);
  assert.deepEqual(splitMentions('', names), []);
});

test('a download names its file', () => {
  assert.equal(fileName(`attachment; filename="c_t.png"; filename*=UTF-8''c%C3%A4t.png`), 'cät.png');
  assert.equal(fileName('attachment; filename="a \\"b\\".txt"'), 'a "b".txt');
  assert.equal(fileName('attachment'), null);
});
