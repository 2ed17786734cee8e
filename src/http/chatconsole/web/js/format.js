/** Times, sizes and places for people. */

/** `1.5 s`, `12 ms`, `80 µs`, `3 h 20 min`; `–` for null. */
export function seconds(value) {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (size >= 3600) return `${Math.trunc(value / 3600)} h ${Math.trunc((size % 3600) / 60)} min`;
  if (size >= 120) return `${Math.trunc(value / 60)} min ${Math.trunc(size % 60)} s`;
  if (size >= 1) return `${short(value)} s`;
  return size >= 0.001 ? `${short(value * 1e3)} ms` : `${Math.round(value * 1e6)} µs`;
}

/** `512 B`, `1.5 KiB`, `2.25 MiB`. */
export function bytes(value) {
  if (value < 1024) return `${value} B`;
  return value < 1024 ** 2 ? `${short(value / 1024)} KiB` : `${short(value / 1024 ** 2)} MiB`;
}

export function number(value) {
  return value === null || value === undefined ? '–' : Number.isInteger(value) ? value.toLocaleString('en') : short(value);
}

function short(value) {
  return String(Number(value.toPrecision(3)));
}

/** The last parts of the path, the line and the function. */
export function place(at) {
  if (!at) return '–';
  return `${at.file.split('/').slice(-3).join('/')}:${at.line} ${at.function}`;
}

/** The same with the whole path. */
export function fullPlace(at) {
  return at ? `${at.file}:${at.line} in ${at.function}` : '';
}

/** The time of day with milliseconds. `at` is in seconds since 1970. */
export function clock(at) {
  const date = new Date(at * 1000);
  return `${date.toLocaleTimeString('en-GB')}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** What a cancel scope is under, as short words; empty when it is under nothing. */
export function scopeWords(scope) {
  const words = [];
  if (scope.deadline !== null) words.push(`deadline ${seconds(scope.deadline)}`);
  if (scope.shielded) words.push('shielded');
  if (scope.cancelled) words.push('cancelled');
  return words;
}

/** `camelCase` as words. */
export function words(name) {
  return name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
}
