// A chart of many curves: axes, bands, zoom by dragging, the nearest point under the pointer, arrow keys.

const LEFT = 54, MARGIN = 14, TITLE = 12, BOTTOM = 30, NEAR = 48, MANY = 24, SHORTEST_DRAG = 8;

class Chart {
  // changed(zoom): the reader has zoomed; pointed(run): a run's number is under the pointer, or null.
  constructor(host, { label, changed = () => {}, pointed = () => {} }) {
    Object.assign(this, { host, changed, pointed, zoom: null, nearest: null });
    this.svg = shape('svg', { tabindex: 0, role: 'img', 'aria-label': label });
    this.tip = element('div', { class: 'tip', role: 'status', hidden: true });
    host.append(this.svg, this.tip);
    this.clip = `clip-${host.id}`;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(host);
  }

  // curves: {run, look, title, what, thin, dotted, points: [[x, y, deviation of y where it is a mean]…]}
  // ends: {runs, look, name, short}, the names of curves; marks: {name, points}; levels: {name, y}
  // x, y: {title, text(value, digits), log}; x also {word(value), unit(high)}, y also {fromZero}
  show(view) {
    this.view = view;
    this.nearest = null;
    this.tip.hidden = true;
    this.draw();
  }

  draw() {
    [this.width, this.height] = [this.host.clientWidth, this.host.clientHeight];
    if (!this.view || !this.width) return; // the observer calls again once there is a width
    const { x, y } = this.view;
    const fits = ([a, b]) => (!x.log || a > 0) && (!y.log || b > 0);
    this.curves = this.view.curves.map((curve) => ({ ...curve, points: curve.points.filter(fits) }));
    this.marks = this.view.marks.map((mark) => ({ ...mark, points: mark.points.filter(fits) }));
    this.svg.replaceChildren();
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
    const points = [...this.curves, ...this.marks].flatMap((one) => one.points);
    const words = this.emptiness(points);
    if (words) {
      this.x = null;
      this.svg.append(shape('text', { class: 'nothing', x: this.width / 2, y: this.height / 2, 'text-anchor': 'middle' }, words));
      return;
    }
    this.ends = this.view.ends ?? [];
    this.right = this.width - MARGIN - this.room();
    this.top = MARGIN + (this.view.y.title ? TITLE : 0);
    this.range(points);
    this.axes();
    this.lines();
    this.names();
    this.light(this.lit ?? null);
  }

  // The width that the names need, which on a narrow screen are in their short form.
  room() {
    if (!this.ends.length) return 0;
    const most = Math.min(LONGEST_NAME, this.width * 0.27);
    for (const end of this.ends) end.text = shortened(this.width < NARROW ? end.short : end.name, most);
    return GAP + Math.max(...this.ends.map((end) => widthOf(end.text))) - MARGIN / 2;
  }

  // Why there is nothing to draw; empty where there is something.
  emptiness(points) {
    const all = this.view.curves.flatMap((one) => one.points);
    if (!all.length && !points.length) return 'no shown run has such numbers';
    if (all.length > 1 && all.every(([x]) => x === 0)) return `all of them at ${this.view.x.text(0)}: nothing to draw against`;
    return points.length ? '' : 'a log axis has no place for 0';
  }

  range(points) {
    const [x0, x1, y0, y1] = this.zoom ?? [];
    const [left, right] = isNumber(x0) ? [x0, x1] : extent(points.map(([a]) => a), this.view.x.log, 0);
    const inside = points.filter(([a]) => a >= left && a <= right);
    const levels = this.view.levels.map((one) => one.y);
    const positive = (value) => !this.view.y.log || value > 0;
    const heights = [...(inside.length ? inside : points).flatMap(([, b, deviation]) => (deviation ? [b + deviation, b - deviation] : [b])).filter(positive), ...levels];
    if (this.view.y.fromZero) heights.push(0);
    const [bottom, top] = isNumber(y0) ? [y0, y1] : extent(heights, this.view.y.log, 0.05);
    this.x = new Scale(left, right, LEFT, this.right, this.view.x.log);
    this.y = new Scale(bottom, top, this.height - BOTTOM, this.top, this.view.y.log);
  }

  axes() {
    const { x, y } = this.view, bottom = this.height - BOTTOM, texts = [];
    const heights = this.y.ticks(this.height / 55), heightWords = distinct(heights, y.text);
    for (const [number, tick] of heights.entries()) {
      const place = Math.round(this.y.at(tick)) + 0.5;
      this.svg.append(shape('line', { class: 'grid', x1: LEFT, x2: this.right, y1: place, y2: place }));
      texts.push(shape('text', { x: LEFT - 6, y: place + 4, 'text-anchor': 'end' }, heightWords[number]));
    }
    let free = 0;
    const unit = x.unit?.(this.x.high) ?? { size: 1, text: x.text };
    const places = this.x.ticks(Math.max(3, (this.right - LEFT) / 100), unit.size), placeWords = distinct(places, unit.text);
    for (const [number, tick] of places.entries()) {
      const place = Math.round(this.x.at(tick)) + 0.5, words = placeWords[number], half = words.length * 3.3;
      this.svg.append(shape('line', { class: 'grid', x1: place, x2: place, y1: this.top, y2: bottom }));
      if (place - half < free || place - half < 8) continue;
      free = place + half + 10;
      const end = place + half > this.width - 4;
      texts.push(shape('text', { x: end ? this.width - 4 : place, y: bottom + 15, 'text-anchor': end ? 'end' : 'middle' }, words));
    }
    if (y.title) texts.push(shape('text', { class: 'published-name', x: 8, y: MARGIN + 1 }, y.title));
    texts.push(shape('text', { x: this.right, y: this.height - 4, 'text-anchor': 'end' }, x.title));
    this.svg.append(...texts);
  }

  lines() {
    const bottom = this.height - BOTTOM;
    const area = shape('g', { class: this.curves.filter((curve) => !curve.thin).length > MANY ? 'many' : null, 'clip-path': `url(#${this.clip})` });
    this.svg.append(
      shape('clipPath', { id: this.clip }, shape('rect', { x: LEFT - 5, y: this.top - 6, width: this.right - LEFT + 10, height: bottom - this.top + 12 })),
      area,
    );
    this.area = area;
    for (const curve of this.curves.filter((one) => one.points.some(([, , deviation]) => deviation))) area.append(this.band(curve));
    for (const curve of this.curves) {
      const { colour, dash } = curve.look, places = curve.points.map(([a, b]) => [this.x.at(a), this.y.at(b)]);
      if (places.length > 1) area.append(shape('path', { class: `curve${curve.thin ? ' thin' : ''}`, 'data-run': curve.run, colour, 'stroke-dasharray': curve.thin ? null : dash || null, d: joined(places) }));
      if (curve.dotted || places.length === 1) {
        for (const [a, b] of places) area.append(mark(curve.look, a, b, { 'data-run': curve.run }));
      }
    }
    for (const { name, y } of this.view.levels) {
      const place = this.y.at(y);
      area.append(
        shape('line', { class: 'published-level', x1: LEFT, x2: this.right, y1: place, y2: place }),
        shape('text', { class: 'published-name', x: this.right - 4, y: place - 5, 'text-anchor': 'end' }, name),
      );
    }
    for (const mark of this.marks) {
      for (const [a, b] of mark.points) {
        const [across, down] = [this.x.at(a), this.y.at(b)];
        area.append(shape('path', { class: 'published', d: `M${across} ${down - 5}l5 5l-5 5l-5 -5z` }));
      }
      const last = mark.points.at(-1);
      if (last) area.append(shape('text', { class: 'published-name', x: this.x.at(last[0]) - 9, y: this.y.at(last[1]) + 14, 'text-anchor': 'end' }, mark.name));
    }
  }

  // From mean + deviation to mean - deviation, which on a log axis ends at the bottom where it is not positive.
  band({ run, look: { colour }, thin, points }) {
    const height = (value) => (this.y.log && value <= 0 ? this.height - BOTTOM : this.y.at(value));
    const upper = points.map(([a, b, deviation]) => [this.x.at(a), height(b + (deviation || 0))]);
    const lower = points.map(([a, b, deviation]) => [this.x.at(a), height(b - (deviation || 0))]);
    return shape('path', { class: `band${thin ? ' thin' : ''}`, 'data-run': run, colour, d: `${joined([...upper, ...lower.reverse()])}z` });
  }

  // Each name stands right of the plot, with a line from where its curves end in view.
  names() {
    const bottom = this.height - BOTTOM, found = [];
    for (const end of this.ends) {
      const places = this.curves.filter((curve) => !curve.thin && end.runs.includes(curve.run)).map((curve) => this.lastInView(curve)).filter(Boolean);
      if (!places.length) continue;
      const mean = (which) => places.reduce((sum, place) => sum + place[which], 0) / places.length;
      found.push({ ...end, x: mean(0), y: mean(1) });
    }
    const shown = withRoom(found, bottom - this.top + LINE).sort((left, right) => left.y - right.y);
    const heights = spreadOut(shown.map((end) => end.y), this.top, bottom), left = this.right + GAP - MARGIN;
    this.labels = shape('g', {}, ...shown.map(({ look, runs, text, name, x, y }, number) => {
      const height = heights[number], line = `M${x.toFixed(1)} ${y.toFixed(1)}L${(this.right + 2).toFixed(1)} ${y.toFixed(1)}L${left - 9} ${height.toFixed(1)}`;
      return shape('g', { class: 'name', 'data-runs': ` ${runs.join(' ')} ` },
        shape('title', {}, name), shape('path', { class: 'leader', colour: look.colour, d: line }),
        mark(look, left - 5, height), shape('text', { x: left + 2, y: height + 4 }, text));
    }));
    this.svg.append(this.labels);
  }

  lastInView({ points }) {
    const inside = (at, low, high) => at >= low - 0.5 && at <= high + 0.5;
    const places = points.map(([a, b]) => [this.x.at(a), this.y.at(b)]);
    return places.findLast(([a, b]) => inside(a, LEFT, this.right) && inside(b, this.top, this.height - BOTTOM));
  }

  // Let one run stand out.
  light(run) {
    this.lit = run;
    const dim = run !== null && this.curves.some((curve) => curve.run === run);
    for (const area of [this.area, this.labels]) area?.classList.toggle('dim', dim);
    for (const part of this.area?.querySelectorAll('[data-run]') ?? []) part.classList.toggle('lit', part.dataset.run === String(run));
    for (const part of this.labels?.children ?? []) part.classList.toggle('lit', part.dataset.runs.includes(` ${run} `));
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.draw();
    this.changed(zoom);
  }

  listen() {
    const { svg } = this;
    svg.addEventListener('pointerdown', (event) => {
      if (event.button || !this.x) return;
      this.from = this.place(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener('pointermove', (event) => (this.from ? this.drag(event) : this.hover(event)));
    svg.addEventListener('pointerup', (event) => this.drop(event));
    svg.addEventListener('pointercancel', () => this.cancel());
    svg.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && this.point(null));
    svg.addEventListener('dblclick', () => this.setZoom(null));
    svg.addEventListener('keydown', (event) => this.key(event));
    svg.addEventListener('blur', () => this.point(null));
  }

  place(event) {
    const box = this.svg.getBoundingClientRect();
    return [
      Math.min(Math.max(event.clientX - box.left, LEFT), this.right),
      Math.min(Math.max(event.clientY - box.top, this.top), this.height - BOTTOM),
    ];
  }

  // A drag that is much wider than high zooms along x alone, and y follows the curves.
  dragged(event) {
    const [a, b] = this.from, [c, d] = this.place(event);
    const flat = event.pointerType === 'touch' || Math.abs(d - b) < 24;
    return { left: Math.min(a, c), right: Math.max(a, c), top: flat ? this.top : Math.min(b, d), bottom: flat ? this.height - BOTTOM : Math.max(b, d), flat };
  }

  drag(event) {
    const { left, right, top, bottom } = this.dragged(event);
    this.point(null);
    this.box ??= this.svg.appendChild(shape('rect', { class: 'box' }));
    for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) this.box.setAttribute(name, value);
  }

  drop(event) {
    if (!this.from) return;
    const { left, right, top, bottom, flat } = this.dragged(event), wide = right - left >= SHORTEST_DRAG;
    this.cancel();
    if (wide) this.setZoom([this.x.value(left), this.x.value(right), ...(flat ? [] : [this.y.value(bottom), this.y.value(top)])]);
    else this.hover(event);
  }

  cancel() {
    this.from = null;
    this.box?.remove();
    this.box = null;
  }

  hover(event) {
    if (!this.x) return;
    const box = this.svg.getBoundingClientRect(), a = event.clientX - box.left, b = event.clientY - box.top;
    let best = null, least = NEAR ** 2;
    for (const curve of [...this.curves, ...this.marks]) {
      curve.points.forEach(([x, y], number) => {
        const far = (this.x.at(x) - a) ** 2 + (this.y.at(y) - b) ** 2;
        if (far < least) [best, least] = [{ curve, number }, far];
      });
    }
    this.point(best);
  }

  point(found) {
    this.nearest = found;
    this.spot?.remove();
    this.tip.hidden = !found;
    const run = found?.curve.run ?? null;
    if (run !== this.lit) this.pointed(run);
    if (!found) return;
    const [a, b, deviation] = found.curve.points[found.number], { x, y } = this.view;
    const [across, down] = [this.x.at(a), this.y.at(b)];
    this.spot = this.svg.appendChild(shape('circle', { class: 'spot', cx: across, cy: down, r: 5 }));
    this.tip.replaceChildren(
      element('div', {}, found.curve.look ? swatch(found.curve) : null, found.curve.title ?? found.curve.name),
      element('small', {}, `${found.curve.what ?? 'published'} ${y.text(b, 5)}${isNumber(deviation) ? ` ± ${y.text(deviation, 2)}` : ''} · ${x.word(a)}`),
    );
    const box = this.tip.getBoundingClientRect();
    this.tip.style.left = `${Math.max(4, Math.min(across + 12, this.width - box.width - 4))}px`;
    this.tip.style.top = `${down - box.height - 12 > 0 ? down - box.height - 12 : Math.min(down + 14, this.height - box.height)}px`;
  }

  // Left and right go along a curve, up and down to the next one; + and - zoom, Escape shows all.
  key(event) {
    const drawn = this.x ? this.curves.filter((curve) => curve.points.length) : [];
    if (!drawn.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const { curve, number } = this.nearest ?? { curve: drawn[0], number: 0 };
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key], across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const zoom = { '+': 0.5, '=': 0.5, '-': 2 }[event.key];
    if (along) {
      this.point({ curve, number: this.nearest ? Math.min(Math.max(number + along, 0), curve.points.length - 1) : 0 });
    } else if (across) {
      const next = drawn[(drawn.indexOf(curve) + across + drawn.length) % drawn.length];
      this.point({ curve: next, number: Math.min(number, next.points.length - 1) });
    } else if (zoom) {
      const middle = this.nearest ? this.x.at(curve.points[number][0]) : (LEFT + this.right) / 2;
      const half = ((this.right - LEFT) / 2) * zoom;
      this.setZoom([this.x.value(middle - half), this.x.value(middle + half)]);
    } else if (event.key === 'Escape') {
      this.setZoom(null);
    } else return;
    event.preventDefault();
  }
}
