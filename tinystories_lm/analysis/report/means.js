// The mean over the seeds of a setting, in the form of a run.

const deviationOf = (name) => `${name}/deviation`;

// Runs of which a setting has several seeds are replaced by their mean, in the place of the first.
function meansOf(settings, first) {
  return settings.flatMap((setting, place) => (setting.training ? [meanOf(setting, first + place)] : setting.members));
}

function meanOf(setting, number) {
  const { members, figures } = setting, [one] = members;
  const states = tally(members.map((run) => run.status)), verdicts = tally(members.map((run) => run.verdict?.name).filter(Boolean));
  const part = (which) => Object.fromEntries(Object.entries(figures).map(([name, spread]) => [name, spread[which]]));
  return {
    number, members, states, run: `${one.group}: ${setting.label}`, label: setting.label, group: one.group, group_name: one.group_name, name: one.name,
    status: setting.finished ? 'done' : one.status, verdict: verdicts.length ? { name: verdicts.map(([name, count]) => `${name} ×${count}`).join(', '), because: [], next: [] } : null,
    figures: part('mean'), deviations: part('deviation'), finished: setting.finished, seeds: setting.seeds,
    updated: Math.max(...members.map((run) => run.updated ?? 0)) || null, problems: [], reason: '', samples: [],
    training: setting.training, validation: setting.validation, setting, look: { ...one.look, dash: '' },
  };
}

// How often each word stands in a list.
function tally(words) {
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts];
}

// The names at the ends of the curves: of settings, or of runs where they are all of one setting. A setting that is alone
// in its group is named after it, and of two with one name each has its group's before its own.
function endsOf(items) {
  const settings = [...new Set(items.map((item) => item.setting))];
  if (settings.length === 1 && items.length > 1) return items.map((run) => ({ runs: [run.number], look: run.look, name: run.label, short: run.label }));
  const groupOf = (setting) => setting.members[0].group_name.replace(/^sweep /, '');
  const alone = new Set(settings.filter((one) => settings.every((other) => other === one || groupOf(other) !== groupOf(one))));
  const nameOf = (setting, which) => {
    if (settings.length > 1 && alone.has(setting)) return groupOf(setting);
    const unique = settings.every((other) => other === setting || other[which] !== setting[which] || alone.has(other));
    return unique ? setting[which] : `${groupOf(setting)} ${setting[which]}`;
  };
  return settings.map((setting) => {
    const own = items.filter((item) => item.setting === setting);
    return { runs: own.map((item) => item.number), look: own[0].look, name: nameOf(setting, 'label'), short: nameOf(setting, 'values') };
  });
}
