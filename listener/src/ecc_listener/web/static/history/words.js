// What is shown, in words and as a table: for those who can't see the charts, or want the figures.

import { extent } from "./lines.js";
import { sample } from "./picture.js";

const MINUTE = 60_000;
const [HOUR, DAY] = [60 * MINUTE, 24 * 60 * MINUTE];
const STEPS = [10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY, 91 * DAY, 365 * DAY];
const MAX_ROWS = 60;
const LIMIT_WORDS = { too_cold: "too cold below", too_hot: "too hot above", too_dry: "too dry below", too_damp: "too damp above", above: "limit above", below: "limit below" };

/** Describe each line of a chart; the list is also the legend. */
export function tellLines(list, chart) {
  const items = chart.lines.map((line) => {
    const item = document.createElement("li");
    if (chart.lines.length > 1) item.append(swatch(line.slot));
    const name = document.createElement("strong");
    const isolated = document.createElement("bdi");
    isolated.textContent = line.name;
    name.append(isolated);
    item.append(name, `: ${sentence(line, chart)}`);
    return item;
  });
  if (chart.hasComfort) {
    const item = document.createElement("li");
    item.className = "comfort";
    item.textContent = `Comfortable range: ${chart.comfort.join(" to ")} %.`;
    items.push(item);
  }
  list.replaceChildren(...items);
}

function swatch(slot) {
  const canvas = document.createElement("canvas");
  const scale = 2;
  [canvas.width, canvas.height] = [44 * scale, 14 * scale];
  canvas.className = "swatch";
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  sample(context, slot, 2, 7);
  return canvas;
}

function sentence(line, chart) {
  const { format, window, convert, measure } = chart;
  const found = extent(line, measure.field, window);
  if (!found) return "no readings in this time.";
  const value = (number) => chart.value(convert(number));
  // An earlier year laid over this one is described with its own times.
  const when = (time) => format.about(time - line.offset, line.step);
  const parts = [
    `from ${value(found.low)} (${when(found.lowAt)}) to ${value(found.high)} (${when(found.highAt)})`,
    `mean ${value(found.mean)}`,
    ...gaps(found.gaps, format),
    ...chart.limitsOf(line).map((limit) => `${LIMIT_WORDS[limit.kind]} ${value(limit.value)}`),
  ];
  return `${parts.join("; ")}.`;
}

function gaps(found, format) {
  if (!found.length) return [];
  const longest = Math.max(...found.map(([from, to]) => to - from));
  if (found.length === 1) return [`one gap of ${format.duration(longest)}`];
  return [`${found.length} gaps, the longest ${format.duration(longest)}`];
}

/** Fill the table: a row for each span of the window, a column for each line and measure. */
export function fillTable(table, charts, window, format) {
  const lines = charts[0].lines;
  const span = STEPS.find((step) => (window[1] - window[0]) / step <= MAX_ROWS) ?? STEPS.at(-1);
  const head = document.createElement("tr");
  head.append(cell("th", "Time", "col"));
  for (const line of lines) {
    for (const chart of charts) head.append(cell("th", `${line.name}: ${chart.title}`, "col"));
  }
  table.tHead.replaceChildren(head);
  const rows = [];
  for (const [from, to] of spans(window, span)) {
    const row = document.createElement("tr");
    row.append(cell("th", span < DAY ? format.moment(from) : format.date(from), "row"));
    for (const line of lines) {
      for (const chart of charts) row.append(cell("td", valueOf(line, chart, [from, to - 1])));
    }
    rows.push(row);
  }
  table.tBodies[0].replaceChildren(...rows);
}

/** Cut the window at the day's hours, or at midnights, of local time. */
function* spans([start, end], step) {
  const at = new Date(start);
  at.setHours(0, 0, 0, 0);
  if (step < DAY) at.setTime(at.getTime() + Math.floor((start - at) / step) * step);
  while (at.getTime() <= end) {
    const from = at.getTime();
    if (step < DAY) at.setTime(from + step);
    else at.setDate(at.getDate() + step / DAY);
    yield [Math.max(from, start), Math.min(at.getTime(), end + 1)];
  }
}

function valueOf(line, chart, window) {
  const found = extent(line, chart.measure.field, window);
  if (!found) return "–";
  const [low, high] = [found.low, found.high].map((value) => chart.number(chart.convert(value)));
  const mean = chart.value(chart.convert(found.mean));
  return low === high ? mean : `${mean} (${low} to ${high})`;
}

function cell(kind, text, scope) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (scope) made.scope = scope;
  return made;
}

/** List the notices of a window the newest first; return their number. */
export function tellNotices(list, lines, [start, end], format) {
  const seen = new Map();
  for (const { notices, offset } of lines) {
    for (const { headline, since, over } of notices) {
      if (since > end || over < start) continue;
      const until = over === Infinity ? "not over" : over === since ? "" : `until ${format.moment(over - offset)}`;
      const times = [`since ${format.moment(since - offset)}`, until].filter(Boolean).join(", ");
      // Notices about all rooms come with each of them.
      seen.set(`${headline} (${times})`, since);
    }
  }
  const newest = [...seen.keys()].sort((one, other) => seen.get(other) - seen.get(one));
  list.replaceChildren(
    ...newest.map((words) => {
      const item = document.createElement("li");
      item.textContent = words;
      return item;
    }),
  );
  return newest.length;
}
