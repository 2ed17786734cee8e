import assert from 'node:assert/strict';
import { test } from 'node:test';
import { supervisedRows, taskRows, visibleRows } from '../../../src/http/chatconsole/web/js/forest.js';
import { bytes, clock, place, scopeWords, seconds, words } from '../../../src/http/chatconsole/web/js/format.js';
import { barsOf, lengthOf } from '../../../src/http/chatconsole/web/js/waterfall.js';

const AT = { file: '/opt/app/src/actors/room.py', line: 7, function: 'Room.admit' };
const task = (id, depth, name = id) => ({ kind: 'task', id, depth, name, state: 'blocked', where: AT, trap: 'sleep', scopes: [] });
const nursery = (id, depth, more = []) => ({ kind: 'nursery', id, depth, children: 2, scope: {}, more });
const group = (name, count) => ({ name, state: 'blocked', where: AT, count });

const TREE = {
  rows: [
    task('t0', 0), nursery('n1', 1, [group('outer *', 9)]), task('t1', 2), nursery('n2', 3, [group('inner *', 5)]), task('t2', 4, 'leaf'),
    task('t3', 2),
  ],
};
const shape = (rows) => rows.map(({ key, depth, kind }) => `${depth} ${kind === 'group' ? key.split('/').slice(0, 2).join('/') : key}`);

test('groups stand behind the listed children of their nursery', () => {
  assert.deepEqual(shape(taskRows(TREE)), ['0 t0', '1 n1', '2 t1', '3 n2', '4 t2', '4 n2/inner *', '2 t3', '2 n1/outer *']);
});

test('what is below a folded row is not to be seen, and its siblings are', () => {
  const rows = visibleRows(taskRows(TREE), new Set(['t1']), '');
  assert.deepEqual(shape(rows), ['0 t0', '1 n1', '2 t1', '2 t3', '2 n1/outer *']);
  assert.deepEqual(rows.map(({ isOpen }) => isOpen), [true, true, false, false, false]);
});

test('a filter keeps what matches and what it is in, also below folded rows', () => {
  const rows = visibleRows(taskRows(TREE), new Set(['t1']), 'LEAF');
  assert.deepEqual(shape(rows), ['0 t0', '1 n1', '2 t1', '3 n2', '4 t2']);
});

test('a filter that nothing matches keeps nothing', () => {
  assert.deepEqual(visibleRows(taskRows(TREE), new Set(), 'no such'), []);
});

test('rows of the supervision tree have keys of their own, also where names are the same', () => {
  const row = (depth, name) => ({ depth, name, role: 'actor', state: 'running' });
  const keys = supervisedRows([row(0, 'node'), row(1, 'a'), row(2, 'x'), row(1, 'b'), row(2, 'x'), row(2, 'x')]).map(({ key }) => key);
  assert.deepEqual(keys, ['node#0', 'node>a#0', 'node>a>x#0', 'node>b#0', 'node>b>x#0', 'node>b>x#1']);
});

test('ten thousand rows are put into a tree and filtered within a frame or two', () => {
  const rows = [nursery('n', 0), ...Array.from({ length: 10_000 }, (_, index) => task(`t${index}`, 1, `name ${index}`))];
  const began = performance.now();
  const found = visibleRows(taskRows({ rows }), new Set(), 'name 777');
  assert.equal(found.length, 1 + 11);
  assert.ok(performance.now() - began < 500);
});

test('times, sizes and places are short', () => {
  assert.deepEqual([0.00008, 0.0123, 1.5, 150, 4000, null].map(seconds), ['80 µs', '12.3 ms', '1.5 s', '2 min 30 s', '1 h 6 min', '–']);
  assert.deepEqual([512, 1536, 2 * 1024 ** 2].map(bytes), ['512 B', '1.5 KiB', '2 MiB']);
  assert.equal(place(AT), 'src/actors/room.py:7 Room.admit');
  assert.equal(place(null), '–');
  assert.equal(words('foundBySweeps'), 'found by sweeps');
  assert.match(clock(1_700_000_000.25), /^\d\d:\d\d:\d\d\.250$/);
  assert.deepEqual(scopeWords({ deadline: 2, shielded: true, cancelled: true }), ['deadline 2 s', 'shielded', 'cancelled']);
});

test('each hop is a bar from the one before it, of the longest leg', () => {
  const leg = { hops: [{ name: 'received', at: 0, says: '' }, { name: 'parsed', at: 0.25, says: '' }, { name: 'commit-answered', at: 1, says: '3' }] };
  assert.equal(lengthOf({ legs: [leg, { hops: [] }] }), 1);
  assert.deepEqual(barsOf(leg, 1).map(({ from, share, took }) => [from, share, took]), [[0, 0, 0], [0, 0.25, 0.25], [0.25, 0.75, 0.75]]);
});

test('a way of no length has bars of no length', () => {
  assert.deepEqual(barsOf({ hops: [{ name: 'received', at: 0, says: '' }] }, 0).map(({ from, share }) => [from, share]), [[0, 0]]);
});
