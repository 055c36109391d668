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
    if (name === 'hue') made.style.setProperty('--hue', value);
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

function duration(seconds) {
  if (seconds < 120) return `${trim(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  if (seconds < 7200) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  const hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60);
  return `${hours} h${minutes ? ` ${minutes} min` : ''}`;
}

function age(seconds) {
  const steps = [[86400 * 2, 86400, 'days'], [7200, 3600, 'h'], [120, 60, 'min'], [0, 1, 's']];
  const [, unit, name] = steps.find(([least]) => seconds >= least) ?? steps[3];
  return `${Math.max(0, Math.floor(seconds / unit))} ${name}`;
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
