/** A small line chart of the last samples; SVG, without any library. */

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 120;

/** The last `size` samples of something. */
export class History {
  constructor(size = 300) {
    this._size = size;
    this.samples = [];
  }

  add(sample) {
    this.samples.push(sample);
    if (this.samples.length > this._size) this.samples.shift();
  }
}

export class Chart {
  /**
   * @param {string} label what is drawn
   * @param {Array<{name: string, tone: string}>} lines
   * @param {(value: number) => string} format
   */
  constructor(label, lines, format) {
    this._label = label;
    this._format = format;
    this.element = document.createElement('figure');
    this.element.className = 'chart';
    this._svg = make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', preserveAspectRatio: 'none' });
    this._lines = lines.map(({ name, tone }) => ({ name, line: make('polyline', { class: `line ${tone}` }) }));
    this._svg.append(...this._lines.map(({ line }) => line));
    this._caption = document.createElement('figcaption');
    this.element.append(this._svg, this._caption);
  }

  /** @param {number[][]} samples each a value a line, the oldest first */
  draw(samples) {
    if (!samples.length) return;
    const most = Math.max(1e-9, ...samples.flat());
    const step = WIDTH / Math.max(1, samples.length - 1);
    this._lines.forEach(({ line }, at) => {
      const points = samples.map((values, index) => {
        const y = HEIGHT - 2 - (values[at] / most) * (HEIGHT - 6);
        return `${(index * step).toFixed(1)},${y.toFixed(1)}`;
      });
      line.setAttribute('points', points.join(' '));
    });
    const now = this._lines.map(({ name }, at) => `${name} ${this._format(samples.at(-1)[at])}`).join(', ');
    const told = `${this._label}: ${now}; the top is ${this._format(most)}`;
    if (this._caption.textContent !== told) {
      this._caption.textContent = told;
      this._svg.setAttribute('aria-label', told);
    }
  }
}

function make(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
