// The table of runs, or of the means over their seeds: sorted by a click, grouped by sweep, filtered by words; it is the
// charts' legend too.

const figure = (name) => (run) => run.figures[name];
const COLUMNS = [
  { key: 'run', title: 'run', value: (run) => run.number },
  { key: 'val/loss', title: 'val loss', value: figure('val/loss'), text: (value) => value.toFixed(4), best: Math.min },
  { key: 'seeds', title: 'n', value: (run) => run.finished, text: String, of: (run) => run.seeds },
  { key: 'val/perplexity', title: 'perplexity', value: figure('val/perplexity'), text: (value) => (value < 1e4 ? value.toFixed(2) : plain(value, 5)), best: Math.min },
  { key: 'val/bits_per_byte', title: 'bits/byte', value: figure('val/bits_per_byte'), text: (value) => value.toFixed(3), best: Math.min },
  { key: 'status', title: 'status', value: (run) => run.status },
  { key: 'verdict', title: 'verdict', value: (run) => run.verdict?.name },
  { key: 'parameters', title: 'parameters', value: figure('parameters'), text: amount, exact: true },
  { key: 'progress/tokens', title: 'tokens', value: figure('progress/tokens'), text: amount, exact: true },
  { key: 'time/train_seconds', title: 'time', value: figure('time/train_seconds'), text: duration },
  { key: 'cost/usd', title: 'dollars', value: figure('cost/usd'), text: dollars },
  { key: 'speed/tokens_per_second', title: 'tokens/s', value: figure('speed/tokens_per_second'), text: amount, best: Math.max },
  { key: 'speed/mfu', title: 'utilisation', value: figure('speed/mfu'), text: percent, best: Math.max },
  { key: 'age', title: 'age', value: (run) => (isNumber(run.updated) ? Math.max(0, Date.now() / 1000 - run.updated) : undefined), text: (value) => duration(Math.floor(value)) },
];

class Table {
  // runs: or means of them; toggled(run, on), pointed(run or null), sorted(key, descending)
  constructor(host, runs, { toggled, pointed, sorted }) {
    Object.assign(this, { runs, toggled, pointed, sorted });
    const averaged = runs.some((run) => run.members);
    const empty = { verdict: !runs.some((run) => run.verdict), seeds: !averaged };
    this.columns = COLUMNS.filter((column) => !empty[column.key]);
    this.heads = new Map();
    this.boxes = new Map();
    const head = element('tr', {}, ...this.columns.map((column) => this.head(column)));
    this.table = element('table', {}, element('caption', { class: 'unseen' }, averaged ? 'Mean ± sample standard deviation over the finished seeds of each setting' : 'Runs and their figures'), element('thead', {}, head));
    const groups = new Map();
    for (const run of runs) groups.set(run.group, [...(groups.get(run.group) ?? []), run]);
    this.groups = [...groups].map(([group, members]) => this.group(group, members));
    this.table.append(...this.groups.map((group) => group.body));
    host.replaceChildren(this.table);
  }

  head(column) {
    const button = element('button', { type: 'button', onclick: () => this.clicked(column.key) }, column.title);
    const cell = element('th', { scope: 'col', class: column.text ? 'number' : null, 'aria-sort': 'none' }, button);
    this.heads.set(column.key, cell);
    return cell;
  }

  group(group, members) {
    const unfinished = members.filter((run) => !['done', 'imported'].includes(run.status)).length;
    const what = members.some((run) => run.members) ? 'setting' : 'run';
    const count = `${members.length} ${what}${members.length === 1 ? '' : 's'}${unfinished ? `, ${members.length - unfinished} done` : ''}`;
    const all = element('input', {
      type: 'checkbox', 'aria-label': `show all of ${members[0].group_name}`,
      onchange: (event) => members.forEach((run) => this.toggled(run, event.target.checked)),
    });
    const name = element('th', { scope: 'rowgroup', title: group }, element('label', {}, all, element('b', {}, members[0].group_name)), ` ${count}`);
    const title = element('tr', { class: 'group' }, name, element('td', { colspan: this.columns.length - 1 }));
    const best = new Map();
    for (const column of COLUMNS.filter((one) => one.best)) {
      const values = members.filter((run) => run.status === 'done').map(column.value).filter(isNumber);
      if (values.length > 1 && Math.min(...values) !== Math.max(...values)) best.set(column.key, column.best(...values));
    }
    const rows = new Map(members.map((run) => [run, this.row(run, best)]));
    return { members, all, rows, title, body: element('tbody', {}, title, ...rows.values()) };
  }

  row(run, best) {
    const box = element('input', { type: 'checkbox', onchange: (event) => this.toggled(run, event.target.checked) });
    this.boxes.set(run, box);
    const name = element('th', { scope: 'row', title: run.run }, element('label', {}, box, swatch(run), run.label), ...notesOf(run));
    const cells = this.columns.slice(1).map((column) => this.cell(run, column, best));
    const point = (on) => () => this.pointed(on ? run.number : null);
    return element('tr', { class: 'run', onmouseenter: point(true), onmouseleave: point(false), onfocusin: point(true), onfocusout: point(false) }, name, ...cells);
  }

  cell(run, column, best) {
    if (column.key === 'status') return element('td', {}, stateOf(run));
    if (column.key === 'verdict') return element('td', { class: 'verdict' }, verdictOf(run));
    const value = column.value(run);
    const marked = run.status === 'done' && best.has(column.key) && best.get(column.key) === value;
    const deviation = run.deviations?.[column.key];
    const spread = isNumber(deviation) && (deviation > 0 || !column.exact) ? ` ± ${column.text(deviation)}` : '';
    const of = column.of && column.of(run) !== value ? ` of ${column.of(run)}` : '';
    return element('td', { class: `number${marked ? ' best' : ''}` }, isNumber(value) ? `${column.text(value)}${spread}${of}` : '–');
  }

  clicked(key) {
    const first = key === 'run' || this.heads.get(key).getAttribute('aria-sort') === 'none';
    const descending = first ? COLUMNS.find((column) => column.key === key).best === Math.max : this.heads.get(key).getAttribute('aria-sort') === 'ascending';
    this.sorted(key, descending);
  }

  // Rows within their groups, and the groups by their first rows; what has no value comes last.
  sort(key, descending) {
    const column = COLUMNS.find((one) => one.key === key) ?? COLUMNS[0], sign = descending ? -1 : 1;
    const compare = (left, right) => {
      const [a, b] = [column.value(left), column.value(right)];
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined) || left.number - right.number;
      return (sign * (isNumber(a) ? a - b : a.localeCompare(b))) || left.number - right.number;
    };
    for (const group of this.groups) {
      group.members.sort(compare);
      group.body.append(...group.members.map((run) => group.rows.get(run)));
    }
    this.groups.sort((left, right) => compare(left.members[0], right.members[0]));
    this.table.append(...this.groups.map((group) => group.body));
    for (const [name, head] of this.heads) head.setAttribute('aria-sort', name === column.key ? (descending ? 'descending' : 'ascending') : 'none');
  }

  // found: the runs that the filter leaves; shown: those of them that are switched on.
  update(found, shown) {
    for (const { members, rows, body, all } of this.groups) {
      for (const run of members) {
        rows.get(run).hidden = !found.has(run);
        rows.get(run).classList.toggle('off', !shown.has(run));
        this.boxes.get(run).checked = shown.has(run);
      }
      const here = members.filter((run) => found.has(run)), on = here.filter((run) => shown.has(run)).length;
      body.hidden = !here.length;
      all.checked = on === here.length;
      all.indeterminate = on > 0 && on < here.length;
    }
  }

  light(number) {
    for (const { rows } of this.groups) for (const [run, row] of rows) row.classList.toggle('lit', run.number === number);
  }
}

// Why it did not end well, and what of its folder could not be read.
function notesOf(run) {
  const reason = run.status !== 'done' && run.reason ? [element('span', { class: 'note', title: run.reason }, run.reason)] : [];
  const [first, ...more] = run.problems;
  if (!more.length) return [...reason, ...(first ? [element('span', { class: 'note' }, first)] : [])];
  const list = element('ul', {}, ...run.problems.map((problem) => element('li', {}, problem)));
  return [...reason, element('details', { class: 'note' }, element('summary', {}, `${run.problems.length} problems in its folder`), list)];
}

function stateOf(run) {
  if (run.states) return element('div', {}, ...run.states.map(([state, count]) => element('span', { class: `state ${state}` }, `${count} ${state} `)));
  const [step, steps] = [run.figures['progress/step'], run.figures['training.steps']];
  const part = ['running', 'interrupted', 'failed'].includes(run.status) && steps > 0 && isNumber(step) ? step / steps : null;
  const state = element('span', { class: `state ${run.status}` }, run.status + (part === null ? '' : ` ${Math.floor(100 * part)}%`));
  return run.status === 'running' && part !== null ? element('div', {}, state, element('progress', { max: 1, value: part, 'aria-label': `step ${step} of ${steps}` })) : state;
}

function verdictOf(run) {
  if (!run.verdict) return '–';
  const { name, because, next } = run.verdict;
  const list = (sentences) => element('ul', {}, ...sentences.map((sentence) => element('li', {}, sentence)));
  if (!because.length && !next.length) return name;
  return element('details', {}, element('summary', {}, name), because.length ? list(because) : null, next.length ? element('span', { class: 'note' }, 'next:') : null, next.length ? list(next) : null);
}
