// From values to places on an axis.

class Scale {
  constructor(low, high, from, to, log) {
    [this.low, this.high, this.from, this.to, this.log] = [low, high, from, to, log];
    this.bend = log ? Math.log : (value) => value;
    this.unbend = log ? Math.exp : (value) => value;
  }

  at(value) {
    const low = this.bend(this.low), high = this.bend(this.high);
    return this.from + ((this.bend(value) - low) / (high - low)) * (this.to - this.from);
  }

  value(place) {
    const low = this.bend(this.low), high = this.bend(this.high);
    return this.unbend(low + ((place - this.from) / (this.to - this.from)) * (high - low));
  }

  // Round values about `wanted` in number. unit: of what they are round multiples (60 for minutes in seconds).
  ticks(wanted, unit = 1) {
    const decades = this.log ? Math.log10(this.high / this.low) : 0;
    if (decades >= 1) {
      const found = [], every = Math.max(1, Math.ceil(decades / wanted));
      const steps = decades > 4 ? [1] : decades > 2 ? [1, 3] : decades > 1.3 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
      const first = Math.floor(Math.log10(this.low / unit));
      for (let power = first; power <= Math.log10(this.high / unit); power += every) {
        for (const step of steps) found.push(step * 10 ** power * unit);
      }
      return found.filter((tick) => tick >= this.low && tick <= this.high);
    }
    const rough = (this.high - this.low) / unit / wanted, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].find((one) => one * power >= rough) * power * unit;
    const found = [];
    for (let number = Math.ceil(this.low / step - 1e-9); number * step <= this.high * (1 + 1e-12) && found.length < 99; number++) {
      found.push(Number((number * step).toPrecision(12)));
    }
    return found;
  }
}

const joined = (places) => places.map(([a, b], number) => `${number ? 'L' : 'M'}${a.toFixed(1)} ${b.toFixed(1)}`).join('');

// The range of the values with a margin, and with some width even where they are all one.
function extent(values, log, margin) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (log) {
    const room = high > low ? (high / low) ** margin : 1.5;
    return [low / room, high * room];
  }
  const room = high > low ? (high - low) * margin : Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}
