/** Trees as flat lists: each row is inside the nearest one above it that has a lower depth. */

import { fullPlace, place } from './format.js';

/**
 * The rows of a tree of tasks, with a row for each group of tasks that are not listed, behind those of its nursery that are.
 *
 * @returns {Array<{key: string, depth: number, kind: 'task' | 'nursery' | 'group', text: string, it: object}>}
 */
export function taskRows(tree) {
  const rows = [];
  const open = [];
  const close = (depth) => {
    while (open.length && open.at(-1).depth >= depth) {
      const nursery = open.pop();
      for (const group of nursery.more) {
        const key = `${nursery.id}/${group.name}/${group.state}/${fullPlace(group.where)}`;
        const text = `${group.name} ${group.state} ${place(group.where)}`;
        rows.push({ key, depth: nursery.depth + 1, kind: 'group', text, it: group, nursery: nursery.id });
      }
    }
  };
  for (const row of tree.rows) {
    close(row.depth);
    if (row.kind === 'nursery') {
      rows.push({ key: row.id, depth: row.depth, kind: 'nursery', text: `nursery ${row.id}`, it: row });
      open.push(row);
    } else {
      const text = `${row.id} ${row.name} ${row.state} ${row.trap ?? ''} ${place(row.where)}`;
      rows.push({ key: row.id, depth: row.depth, kind: 'task', text, it: row });
    }
  }
  close(0);
  return rows;
}

/** The rows of the supervision tree, by their path of names. */
export function supervisedRows(supervised) {
  const path = [];
  const seen = new Map();
  return supervised.map((row) => {
    path.length = row.depth;
    path[row.depth] = row.name;
    const name = path.join('>');
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    const text = `${row.name} ${row.role} ${row.state}`;
    return { key: `${name}#${times}`, depth: row.depth, kind: row.role, text, it: row };
  });
}

/**
 * The rows that are to be seen: none below a folded one, and with a filter those that match and what they are in.
 *
 * @param {Array<{key: string, depth: number, text: string}>} rows
 * @param {Set<string>} folded keys
 * @param {string} filter
 */
export function visibleRows(rows, folded, filter) {
  const kept = filter ? matching(rows, filter.toLowerCase()) : null;
  const shown = [];
  let hiddenBelow = Infinity;
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index];
    if (row.depth > hiddenBelow) continue;
    hiddenBelow = Infinity;
    if (kept && !kept[index]) continue;
    const hasChildren = (rows[index + 1]?.depth ?? -1) > row.depth;
    const isOpen = hasChildren && (kept !== null || !folded.has(row.key));
    if (hasChildren && !isOpen) hiddenBelow = row.depth;
    shown.push({ ...row, hasChildren, isOpen });
  }
  return shown;
}

function matching(rows, filter) {
  const kept = new Array(rows.length).fill(false);
  const above = [];
  rows.forEach((row, index) => {
    above.length = row.depth;
    above[row.depth] = index;
    if (row.text.toLowerCase().includes(filter)) for (const each of above) if (each !== undefined) kept[each] = true;
  });
  return kept;
}
