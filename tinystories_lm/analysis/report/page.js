// What the reader chose, and everything that follows from it. The choice is kept in the address, after the #.

const DATA = JSON.parse(document.getElementById('data').textContent);
const AXES = {
  'progress/step': { title: 'steps', text: amount, word: (value) => `step ${amount(value, 4)}` },
  'progress/tokens': { title: 'tokens', text: amount, word: (value) => `${amount(value)} tokens` },
  'progress/flops': { title: 'FLOPs', text: amount, word: (value) => `${amount(value)} FLOPs` },
  'time/train_seconds': { title: 'time', text: (value) => duration(value), word: duration, unit: timeUnit },
  'cost/usd': { title: 'dollars', text: (value, digits) => (digits > 3 ? `$${plain(value, digits)}` : dollars(value)), word: dollars },
};
const METRICS = {
  loss: { title: 'loss: validation, and training (thin)', names: ['val/loss', 'train/loss'], log: true, unit: 'nats per token' },
  'val/loss': { title: 'validation loss', names: ['val/loss'], log: true, unit: 'nats per token' },
  'train/loss': { title: 'training loss', names: ['train/loss'], log: true, unit: 'nats per token' },
  'val/perplexity': { title: 'perplexity', names: ['val/perplexity'], log: true, unit: 'validation perplexity' },
  'val/bits_per_byte': { title: 'bits per byte', names: ['val/bits_per_byte'], log: true, unit: 'bits per byte' },
  'optimizer/lr': { title: 'learning rate', names: ['optimizer/lr'], log: false, unit: '' },
  'optimizer/grad_norm': { title: 'gradient norm', names: ['optimizer/grad_norm'], log: true, unit: '' },
};
const WORDS = { 'val/loss': 'validation loss', 'train/loss': 'training loss', 'val/perplexity': 'perplexity', 'val/bits_per_byte': 'bits per byte', 'optimizer/lr': 'learning rate', 'optimizer/grad_norm': 'gradient norm', 'speed/tokens_per_second': 'tokens per second', 'speed/mfu': 'utilisation' };
const NO_KEYS = '(hover: none) and (pointer: coarse)'; // as in the style sheet
const DOTTED = { 'validation loss': 1, perplexity: 1, 'bits per byte': 1 }; // few points, each of them an evaluation
const MOST_SAMPLES = 12;

DATA.runs.forEach((run, number) => {
  run.number = number;
  const differing = (which, name) => DATA[which].map((one) => `${one[name]}=${one.values[number]}`);
  run.words = [run.run, run.label, run.group_name, run.name, run.status, run.verdict?.name, run.reason, ...differing('choices', 'choice'), ...differing('differences', 'setting')].join(' ').toLowerCase();
});
const named = new Map(DATA.runs.map((run) => [run.run, run]));
DATA.settings.forEach((setting, place) => {
  setting.members = setting.runs.map((path) => named.get(path));
  setting.members.forEach((run, seed) => Object.assign(run, { setting, look: look(place, seed), finished: run.status === 'done' ? 1 : 0, seeds: 1 }));
});
const MEANS = meansOf(DATA.settings, DATA.runs.length), AVERAGED = MEANS.some((item) => item.members);

// `means` is not kept in the address: a page opens with its runs. Only a page that reloads itself hands it on.
const chosen = { x: 'progress/step', y: DATA.runs.length > MANY ? 'val/loss' : 'loss', logX: null, logY: null, published: true, zoom: null, off: new Set(), filter: '', sort: 'run', descending: false, means: AVERAGED && history.state?.means === true, every: false };

function column(table, name) {
  const found = table[name];
  return Array.isArray(found) || !found ? found ?? [] : column(table, found.of).map((value) => (value === null ? null : value * found.times));
}

function points(run, x, y) {
  const table = y.startsWith('val/') ? run.validation : run.training;
  const [across, up, deviations] = [column(table, x), column(table, y), column(table, deviationOf(y))];
  return across.map((value, number) => [value, up[number], deviations[number]]).filter(([a, b]) => isNumber(a) && isNumber(b));
}

function timeUnit(high) {
  const [size, name] = high >= 3 * 3600 ? [3600, 'h'] : high >= 180 ? [60, 'min'] : [1, 's'];
  return { size, text: (value, digits) => `${plain(value / size, digits)} ${name}` };
}

// ---------------------------------------------------------------- the address

function remember() {
  const words = new URLSearchParams();
  const keep = (name, value, usual) => value !== usual && words.set(name, value);
  keep('x', chosen.x, 'progress/step');
  keep('y', chosen.y, DATA.runs.length > MANY ? 'val/loss' : 'loss');
  if (chosen.logX !== null) words.set('logx', Number(chosen.logX));
  if (chosen.logY !== null) words.set('logy', Number(chosen.logY));
  keep('published', Number(chosen.published), 1);
  if (chosen.zoom) words.set('zoom', chosen.zoom.map((value) => value.toPrecision(7)).join(','));
  for (const run of chosen.off) words.append('off', run);
  keep('filter', chosen.filter, '');
  keep('sort', chosen.sort, 'run');
  keep('descending', Number(chosen.descending), 0);
  const text = words.toString();
  history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
}

function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  if (Object.hasOwn(AXES, words.get('x'))) chosen.x = words.get('x');
  if (Object.hasOwn(METRICS, words.get('y'))) chosen.y = words.get('y');
  if (words.has('logx')) chosen.logX = words.get('logx') === '1';
  if (words.has('logy')) chosen.logY = words.get('logy') === '1';
  chosen.published = words.get('published') !== '0';
  const zoom = (words.get('zoom') ?? '').split(',').map(Number);
  if ([2, 4].includes(zoom.length) && zoom.every(Number.isFinite) && zoom[0] < zoom[1]) chosen.zoom = zoom;
  chosen.off = new Set(words.getAll('off'));
  chosen.filter = words.get('filter') ?? '';
  chosen.sort = words.get('sort') ?? 'run';
  chosen.descending = words.get('descending') === '1';
}

// ---------------------------------------------------------------- the parts

recall();
const at = (id) => document.getElementById(id);
const light = (run) => {
  charts.forEach((chart) => chart.light(run));
  table.light(run);
};
const charts = ['curve', 'speed', 'utilisation'].map((id) => new Chart(at(id), {
  label: { curve: `Curves of the shown runs${matchMedia(NO_KEYS).matches ? '' : '; arrow keys go from point to point'}`, speed: 'Tokens per second', utilisation: 'Utilisation' }[id],
  changed: (zoom) => {
    if (id !== 'curve') return;
    chosen.zoom = zoom;
    whole.hidden = !zoom;
    remember();
  },
  pointed: light,
}));
const [curve, speed, utilisation] = charts;
const items = () => (chosen.means ? MEANS : DATA.runs);
const members = (item) => item.members ?? [item];
const newTable = () => new Table(at('runs'), items(), {
  toggled: (item, on) => {
    for (const { run } of members(item)) {
      if (on) chosen.off.delete(run);
      else chosen.off.add(run);
    }
    update();
  },
  pointed: light,
  sorted: (key, descending) => {
    Object.assign(chosen, { sort: key, descending });
    table.sort(key, descending);
    remember();
  },
});
let table = newTable();

function average(on) {
  chosen.means = on;
  table = newTable();
  table.sort(chosen.sort, chosen.descending);
  update();
}

function changed(values) {
  if ('x' in values || 'y' in values) curve.zoom = chosen.zoom = null;
  if ('x' in values) chosen.logX = null;
  if ('y' in values) chosen.logY = null;
  Object.assign(chosen, values);
  update();
}

const axisButtons = Object.entries(AXES).map(([key, { title }]) => element('label', {}, element('input', { type: 'radio', name: 'x', value: key, checked: key === chosen.x, onchange: () => changed({ x: key }) }), title));
const metric = element('select', { 'aria-label': 'metric', onchange: (event) => changed({ y: event.target.value }) }, ...Object.entries(METRICS).map(([key, { title }]) => element('option', { value: key, selected: key === chosen.y }, title)));
const box = (id, words, handler) => element('label', {}, element('input', { type: 'checkbox', id, onchange: (event) => handler(event.target.checked) }), words);
const whole = element('button', { type: 'button', id: 'whole', hidden: !chosen.zoom, onclick: () => curve.setZoom(null) }, 'Show all');
const published = box('published', 'published', (on) => changed({ published: on }));
at('switches').append(metric, element('fieldset', {}, element('legend', { class: 'unseen' }, 'against'), ...axisButtons), box('logx', 'log x', (on) => { curve.zoom = chosen.zoom = null; changed({ logX: on }); }), box('logy', 'log y', (on) => { curve.zoom = chosen.zoom = null; changed({ logY: on }); }), published, ...(AVERAGED ? [box('means', 'mean ± sd over seeds', average)] : []), whole);
at('tools').append(
  element('input', { type: 'search', placeholder: 'filter: words, lr=0.001, failed', 'aria-label': 'filter the runs', value: chosen.filter, oninput: (event) => changed({ filter: event.target.value }) }),
  element('button', { type: 'button', id: 'all', onclick: () => changed({ off: new Set() }) }, 'all'),
  element('button', { type: 'button', id: 'none', onclick: () => changed({ off: new Set(DATA.runs.map((run) => run.run)) }) }, 'none'),
  element('span', { class: 'hint', id: 'count', role: 'status' }),
);
for (const form of ['switches', 'tools', 'every']) at(form).addEventListener('submit', (event) => event.preventDefault());
for (const state of ['done', 'running', 'interrupted', 'failed', 'imported', 'unknown']) {
  const count = DATA.runs.filter((run) => run.status === state).length;
  if (count) at('states').append(element('span', { class: `state ${state}` }, `${count} ${state}`));
}
at('every').append(box('single', 'every setting', (on) => changed({ every: on })));
if (AVERAGED) at('means').checked = chosen.means;

// ---------------------------------------------------------------- drawing

function update() {
  const words = chosen.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const isFound = (run) => words.every((word) => run.words.includes(word)), isShown = (run) => isFound(run) && !chosen.off.has(run.run);
  const all = items(), found = all.filter((item) => members(item).some(isFound)), shown = all.filter((item) => members(item).some(isShown));
  table.update(new Set(found), new Set(shown));
  at('count').textContent = shown.length === all.length ? '' : `${shown.length} of ${all.length} shown`;
  at('averaged').hidden = !chosen.means;
  drawCurves(shown);
  drawDifferences(shown);
  drawSamples(DATA.runs.filter(isShown));
  whole.hidden = !chosen.zoom;
  remember();
}

// Whether short curves would be squeezed beside long ones on a linear axis.
function farApart(lines) {
  const ends = lines.map(({ points }) => Math.max(0, ...points.map(([x]) => x))).filter((end) => end > 0);
  return Math.max(...ends) > 6 * Math.min(...ends);
}

function drawCurves(shown) {
  const metric = METRICS[chosen.y], names = new Set(shown.map((run) => run.name));
  const rounds = DATA.published.filter((round) => names.has(round.name));
  const curves = (which) => which.flatMap((name, order) => shown.map((run) => ({
    run: run.number, look: run.look, title: `${run.group_name} · ${run.label}`, what: WORDS[name], thin: which.length > 1 && order > 0, points: points(run, chosen.x, name),
  }))).map((line) => ({ ...line, dotted: line.what in DOTTED && shown.length <= MANY && line.points.length <= 40 })).reverse();
  const name = metric.names[0], drawn = chosen.published ? rounds : [];
  const marks = drawn.map((round) => ({
    name: `${round.name}, published`,
    points: round.points.map((point) => [point[chosen.x], point[name]]).filter(([a, b]) => isNumber(a) && isNumber(b)),
  }));
  const height = { 'val/loss': Math.log, 'val/perplexity': (value) => value }[name];
  const levels = drawn.filter((round, number) => height && isNumber(round.perplexity) && !marks[number].points.length)
    .map((round) => ({ name: `${round.name}, published: perplexity ${plain(round.perplexity)}`, y: height(round.perplexity) }));
  published.hidden = !rounds.length;
  const lines = curves(metric.names), x = { ...AXES[chosen.x], log: chosen.logX ?? farApart([...lines, ...marks]) };
  const log = chosen.logY ?? metric.log;
  at('logx').checked = x.log;
  at('logy').checked = log;
  at('published').checked = chosen.published;
  curve.zoom = chosen.zoom;
  curve.show({ curves: lines, ends: endsOf(shown), marks, levels, x, y: { title: metric.unit, text: (value, digits) => (Math.abs(value) >= 1e4 ? amount(value, digits) : plain(value, digits)), log } });
  speed.show({ curves: curves(['speed/tokens_per_second']), marks: [], levels: [], x, y: { title: '', text: amount, log: false, fromZero: true } });
  utilisation.show({ curves: curves(['speed/mfu']), marks: [], levels: [], x, y: { title: '', text: percent, log: false, fromZero: true } });
}

// What the runs were started by, and the single settings that no such choice explains (or all of them).
function differing(shown) {
  const place = (item) => members(item)[0].number;
  const differs = ({ values }) => new Set(shown.map((item) => values[place(item)]).filter((value) => value !== null)).size > 1;
  const choices = DATA.choices.filter(differs).map((one) => ({ ...one, setting: one.choice, choice: null }));
  const known = (name) => shown.every((item) => DATA.choices.find((one) => one.choice === name).values[place(item)] !== null || members(item)[0].name === null);
  const explained = ({ choice }) => choice !== null && choices.some((one) => one.setting === choice) && known(choice);
  const single = DATA.differences.filter(differs).filter(({ setting }) => !(chosen.means && setting === 'training.seed'));
  at('every').hidden = !single.some(explained);
  const rows = [...choices, ...single.filter((one) => chosen.every || !explained(one))];
  return rows.map((row) => ({ ...row, of: (item) => row.values[place(item)] }));
}

// The longer list goes downwards; a few runs always stand side by side.
function drawDifferences(shown) {
  const rows = differing(shown);
  if (!rows.length) {
    at('differences').replaceChildren(element('p', { class: 'hint', style: 'padding: 0.4rem 0.6rem' }, shown.length > 1 ? 'The shown runs have the same settings.' : 'A single run differs from nothing.'));
    return;
  }
  const runHead = (run, scope) => element('th', { scope }, swatch(run), run.label);
  const settingHead = ({ setting, kind }, scope) => element('th', { scope, class: `setting${kind === 'free' ? ' free' : ''}`, title: { exact: 'moves the numbers', numerics: 'rounds the numbers differently', free: 'leaves the numbers as they are' }[kind] }, setting);
  const cell = ({ of, kind }, run) => element('td', { class: kind === 'free' ? 'free' : null }, of(run) ?? '–');
  const across = shown.length <= 4 || rows.length > shown.length;
  const head = element('tr', {}, element('th', { scope: 'col' }, across ? 'setting' : 'run'), ...(across ? shown.map((run) => runHead(run, 'col')) : rows.map((row) => settingHead(row, 'col'))));
  const body = across ? rows.map((row) => element('tr', {}, settingHead(row, 'row'), ...shown.map((run) => cell(row, run)))) : shown.map((run) => element('tr', {}, runHead(run, 'row'), ...rows.map((row) => cell(row, run))));
  at('differences').replaceChildren(element('table', {}, element('caption', { class: 'unseen' }, 'Settings in which the shown runs differ'), element('thead', {}, head), element('tbody', {}, ...body)));
}

function drawSamples(shown) {
  const told = shown.filter((run) => run.samples.length);
  const articles = told.slice(0, MOST_SAMPLES).map((run) => element('article', {}, element('h3', {}, swatch(run), `${run.group_name} · ${run.label}`), ...run.samples.flatMap(story)));
  const more = told.length - articles.length;
  const note = !told.length ? 'No shown run has written anything yet.' : more > 0 ? `The first ${articles.length} of ${told.length} runs with samples: switch runs off above to read the others.` : null;
  at('samples').replaceChildren(...(note ? [element('p', { class: 'hint' }, note)] : []), ...articles);
}

function story({ step, prompt, text, settings }) {
  const own = prompt && text.startsWith(prompt);
  const quote = element('blockquote', {}, own ? element('span', {}, prompt) : null, own ? text.slice(prompt.length) : text);
  return step === null ? [quote] : [element('p', { class: 'hint', title: settings }, `at step ${amount(step)}`), quote];
}

table.sort(chosen.sort, chosen.descending);
update();

// The page of `report --watch` reloads itself, unless the reader is selecting, searching or pointing at a curve.
if (DATA.reload_seconds) {
  setInterval(() => {
    const busy = curve.from || speed.from || utilisation.from || document.activeElement?.type === 'search' || String(getSelection());
    if (busy) return;
    if (chosen.means) history.replaceState({ means: true }, '');
    location.reload();
  }, DATA.reload_seconds * 1000);
}
