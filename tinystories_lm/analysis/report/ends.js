// Names at the curves' ends, none over another.

const LINE = 14, GAP = 30, LONGEST_NAME = 220, NARROW = 600;
const pen = document.createElement('canvas').getContext('2d');

function widthOf(text) {
  pen.font ||= '11px sans-serif';
  return pen.measureText(text).width;
}

// The text, or as much of it as fits before an ellipsis.
function shortened(text, width) {
  if (widthOf(text) <= width) return text;
  let length = text.length - 1;
  while (length > 1 && widthOf(`${text.slice(0, length)}…`) > width) length--;
  return `${text.slice(0, length).trimEnd()}…`;
}

// Places at least LINE apart between low and high, in the order of the wanted ones and together as near to them as can be
// (least squares, by pooling neighbours that would overlap).
function spreadOut(wanted, low, high) {
  const pools = [];
  wanted.forEach((place, number) => {
    pools.push({ sum: place - number * LINE, count: 1 });
    while (pools.length > 1) {
      const [before, last] = pools.slice(-2);
      if (before.sum / before.count <= last.sum / last.count) break;
      pools.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count });
    }
  });
  const top = high - (wanted.length - 1) * LINE;
  return pools.flatMap(({ sum, count }) => Array(count).fill(Math.min(Math.max(sum / count, low), top)))
    .map((place, number) => place + number * LINE);
}

// The ends that have room: all, or else each in turn that is a line away from those chosen before.
function withRoom(ends, height) {
  if (ends.length * LINE <= height) return ends;
  const chosen = [];
  for (const end of ends) if (chosen.every((other) => Math.abs(other.y - end.y) >= LINE)) chosen.push(end);
  return chosen;
}
