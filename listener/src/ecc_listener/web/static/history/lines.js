// Turns the response of the API into lines to draw, and finds what is within a window of them. Pure.
// Times are milliseconds since 1970; a band is [lowest, mean, highest]; null is a gap.

const MEASURES = {
  temperature: { field: "temperature_f", isTemperature: true, least: 4, empty: [50, 80] },
  humidity: { field: "humidity_percent", isTemperature: false, unit: "%", least: 8, empty: [20, 80] },
  dew_point: { field: "dew_point_f", isTemperature: true, least: 4, empty: [30, 60] },
};
const YES_NO = "yes or no";
/** How long a value holds that a device sends only when it changes. */
const HOLDS_MS = 6 * 3_600_000;
const FIELD = "field:";

/** Return the measure of a figure: one of the three, or a further number that sensors send. */
export function measureOf({ measure, field, unit }) {
  if (field === undefined) return MEASURES[measure];
  return { field: measure, isTemperature: false, isFurther: true, unit: unit === YES_NO ? "" : unit, least: 0.2, empty: [0, 1] };
}

/** Return the fields of the further numbers among the names of measures. */
export function fieldsOf(measures) {
  return measures.filter((name) => name.startsWith(FIELD)).map((name) => name.slice(FIELD.length));
}
/** Return the line of one sensor in the response; `offset` (ms) lays another year over this one. */
export function toLine(sensor, slot, name, offset = 0) {
  const bands = {};
  const columns = Object.values(MEASURES).map(({ field }) => [field, sensor[field]]);
  const further = Object.entries(sensor.values).map(([field, column]) => [FIELD + field, column]);
  for (const [field, { min, mean, max }] of [...columns, ...further]) {
    bands[field] = mean.map((value, at) => (value === null ? null : min ? [min[at], value, max[at]] : [value, value, value]));
  }
  const shift = (seconds) => seconds * 1000 + offset;
  const times = sensor.time_s.map(shift);
  const notices = sensor.notices.map(({ headline, since_s, over_s }) => ({
    headline,
    since: shift(since_s),
    over: over_s === null ? Infinity : shift(over_s),
  }));
  const { readings, limits, step_s } = sensor;
  const step = step_s * 1000;
  const gaps = Object.fromEntries(
    Object.entries(bands).map(([field, known]) => [field, gapsOf(times, readings, known, Math.max(HOLDS_MS, 2 * step))]),
  );
  return { slot, name, offset, times, readings, bands, gaps, step, limits, notices };
}

/** Return where a line breaks: [position, time of the value before, time of the value after].
 *
 * Without a reading it breaks. A reading without this value doesn't break it: a device may send each quantity
 * by itself, when it changes, so the value before holds for some hours.
 */
function gapsOf(times, readings, bands, holds) {
  const gaps = [];
  let [before, missing, isEmpty] = [-1, -1, false];
  bands.forEach((band, at) => {
    if (!band) {
      if (missing < 0) missing = at;
      isEmpty ||= readings[at] === 0;
      return;
    }
    if (missing >= 0 && before >= 0 && (isEmpty || times[at] - times[before] > holds)) gaps.push([missing, times[before], times[at]]);
    [before, missing, isEmpty] = [at, -1, false];
  });
  return gaps;
}

/** Return dygraphs its rows: [time, band of each line]; NaN breaks a line, null is passed over. */
export function toRows(lines, field, convert, [start, end]) {
  const rows = new Map();
  const rowAt = (time) => {
    if (!rows.has(time)) rows.set(time, [time, ...lines.map(() => null)]);
    return rows.get(time);
  };
  rowAt(start);
  rowAt(end);
  lines.forEach((line, number) => {
    line.bands[field].forEach((band, at) => {
      if (band) rowAt(line.times[at])[number + 1] = band.map(convert);
    });
    for (const [at] of line.gaps[field]) rowAt(line.times[at])[number + 1] = [NaN, NaN, NaN];
  });
  return [...rows.values()].sort((one, other) => one[0] - other[0]);
}

/** Return the positions of a line's points from `start` to `end`: [first, one past the last]. */
export function within(line, [start, end]) {
  return [lowest(line.times, start), lowest(line.times, end + 1)];
}

function lowest(times, time) {
  let [from, to] = [0, times.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (times[middle] < time) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Return the position of the point nearest to a time that has values and is near enough; -1 if there is none. */
export function nearest(line, field, time, reach) {
  const after = lowest(line.times, time);
  let best = -1;
  for (let at = Math.max(0, after - 2); at < Math.min(line.times.length, after + 2); at += 1) {
    const isNearer = best < 0 || Math.abs(line.times[at] - time) < Math.abs(line.times[best] - time);
    if (line.bands[field][at] && isNearer) best = at;
  }
  return best >= 0 && Math.abs(line.times[best] - time) <= Math.max(reach, line.step) ? best : -1;
}

/** Sum up what a window holds of a line: lowest, mean, highest, when, and the gaps; null if it is empty. */
export function extent(line, field, window) {
  const [from, to] = within(line, window);
  const found = { low: Infinity, high: -Infinity, sum: 0, readings: 0, gaps: [] };
  for (let at = from; at < to; at += 1) {
    const band = line.bands[field][at];
    if (!band) continue;
    if (band[0] < found.low) [found.low, found.lowAt] = [band[0], line.times[at]];
    if (band[2] > found.high) [found.high, found.highAt] = [band[2], line.times[at]];
    found.sum += band[1] * line.readings[at];
    found.readings += line.readings[at];
  }
  found.gaps = line.gaps[field].filter(([at]) => at >= from && at < to).map(([, since, until]) => [since, until]);
  return found.readings ? { ...found, mean: found.sum / found.readings } : null;
}

/** Return the range of values to show for a window, in shown units, with some space around them. */
export function valueRange(lines, measure, convert, [start, end]) {
  let [low, high] = [Infinity, -Infinity];
  const margin = (end - start) * 0.02;
  for (const line of lines) {
    const found = extent(line, measure.field, [start - margin, end + margin]);
    if (found) [low, high] = [Math.min(low, convert(found.low)), Math.max(high, convert(found.high))];
  }
  if (low > high) return measure.empty.map(convert);
  const air = Math.max((high - low) * 0.08, (measure.least - (high - low)) / 2);
  return [low - air, high + air];
}
