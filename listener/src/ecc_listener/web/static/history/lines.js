// Turns the response of the API into lines to draw, and finds what is within a window of them. Pure.
// Times are milliseconds since 1970; a band is [lowest, mean, highest]; null is a gap.

export const MEASURES = {
  temperature: { field: "temperature_f", title: "Temperature", isTemperature: true, least: 4, empty: [50, 80] },
  humidity: { field: "humidity_percent", title: "Relative humidity", isTemperature: false, least: 8, empty: [20, 80] },
  dew_point: { field: "dew_point_f", title: "Dew point", isTemperature: true, least: 4, empty: [30, 60] },
};

/** Return the line of one sensor in the response; `offset` (ms) lays another year over this one. */
export function toLine(sensor, slot, name, offset = 0) {
  const bands = {};
  for (const { field } of Object.values(MEASURES)) {
    const { min, mean, max } = sensor[field];
    bands[field] = mean.map((value, at) => (value === null ? null : min ? [min[at], value, max[at]] : [value, value, value]));
  }
  const shift = (seconds) => seconds * 1000 + offset;
  const notices = sensor.notices.map(({ headline, since_s, over_s }) => ({
    headline,
    since: shift(since_s),
    over: over_s === null ? Infinity : shift(over_s),
  }));
  const { readings, limits, step_s } = sensor;
  return { slot, name, offset, times: sensor.time_s.map(shift), readings, bands, step: step_s * 1000, limits, notices };
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
      rowAt(line.times[at])[number + 1] = band ? band.map(convert) : [NaN, NaN, NaN];
    });
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
    if (!band) {
      if (at > 0 && at + 1 < line.times.length) found.gaps.push([line.times[at - 1], line.times[at + 1]]);
      continue;
    }
    if (band[0] < found.low) [found.low, found.lowAt] = [band[0], line.times[at]];
    if (band[2] > found.high) [found.high, found.highAt] = [band[2], line.times[at]];
    found.sum += band[1] * line.readings[at];
    found.readings += line.readings[at];
  }
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
