// Making elements, and saying numbers.

const SVG = 'http://www.w3.org/2000/svg';

// Text becomes a text node, never markup: whatever a run folder holds is shown and not interpreted.
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'colour') made.style.setProperty('--colour', `var(--colour-${value})`);
    else if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const trim = (text) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

function amount(value, digits = 3) {
  const size = Math.abs(value);
  for (const [least, letter] of [[1e18, 'E'], [1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (size >= least) {
      const unit = letter === 'k' ? 1e3 : least;
      return trim((value / unit).toPrecision(Math.max(digits, String(Math.floor(size / unit)).length))) + letter;
    }
  }
  return plain(value, size >= 1000 ? Math.max(digits, 4) : digits);
}

function plain(value, digits = 4) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e6 ? value.toExponential(Math.max(1, digits - 2)).replace(/\.?0*e/, 'e') : trim(value.toPrecision(digits));
}

// The two largest units: 5.2 s, 12 s, 1 min 51 s, 2 h 5 min, 3 d 4 h.
function duration(seconds) {
  if (seconds < 10) return `${trim(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds), units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const place = units.findIndex(([size]) => whole >= size), [size, name] = units[place], [next, rest] = units[place + 1] ?? [1, ''];
  const left = Math.floor((whole % size) / next);
  return `${Math.floor(whole / size)} ${name}${left ? ` ${left} ${rest}` : ''}`;
}

const dollars = (value) => `$${value !== 0 && value < 0.1 ? value.toPrecision(2) : value.toFixed(2)}`;
const percent = (value, digits = 3) => `${trim((100 * value).toPrecision(digits))}%`;

// The same number of digits for all, as many as it takes to tell them apart.
function distinct(values, text) {
  for (let digits = 3; digits < 8; digits++) {
    const words = values.map((value) => text(value, digits));
    if (new Set(words).size === words.length) return words;
  }
  return values.map((value) => text(value, 8));
}

// A setting has a colour and, from the ninth on, another shape of its points; its seeds have different dashes.

const COLOURS = 8, RADIUS = 2.6;
const SHAPES = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.4 * r}l${1.4 * r} ${2.4 * r}h${-2.8 * r}z`,
  (x, y, r) => `M${x} ${y + 1.4 * r}l${1.4 * r} ${-2.4 * r}h${-2.8 * r}z`,
];
const DASHES = ['', '7 3', '2 2.5', '10 3 2 3', '14 4', '5 2 1 2 1 2'];

const look = (setting, seed) => ({ colour: setting % COLOURS, shape: Math.floor(setting / COLOURS) % SHAPES.length, dash: DASHES[seed % DASHES.length] });

function mark({ colour, shape: number }, x, y, attributes = {}) {
  return shape('path', { class: 'dot', colour, d: SHAPES[number](Number(x.toFixed(1)), Number(y.toFixed(1)), RADIUS), ...attributes });
}

// How a run is drawn, for tables and headings.
function swatch({ look: { colour, shape: number, dash } }) {
  const line = shape('path', { class: 'line', colour, d: 'M1 6H23', 'stroke-dasharray': dash || null });
  return shape('svg', { class: 'swatch', width: 24, height: 12, 'aria-hidden': 'true' }, line, mark({ colour, shape: number }, 12, 6));
}
