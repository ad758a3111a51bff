// What is chosen: rooms, time, measures, comparison. It is in the form and in the page's address.

import { fieldsOf } from "./lines.js";

const DAY_MS = 86_400_000;
const RANGES = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, year: 365 * DAY_MS };
const [SHORTEST_MS, LONGEST_MS] = [30 * 60_000, 20 * 366 * DAY_MS];
/** How much of a window may be before the first reading or after now. */
const BEYOND = 0.75;

/** Read the form; `start` and `end` (ms) are null while a range up to now is chosen. */
export function readForm(form) {
  const given = new FormData(form);
  const fixed = form.dataset.start !== "";
  const sensors = given.getAll("sensor");
  return {
    sensors,
    range: given.get("range"),
    measures: given.getAll("measure"),
    compare: sensors.length === 1 && given.get("compare") ? "years" : "rooms",
    start: fixed ? Number(form.dataset.start) * 1000 : null,
    end: fixed ? Number(form.dataset.end) * 1000 : null,
  };
}

/** Return the window of time that is chosen; `first` (ms) is the time of the oldest reading. */
export function windowOf(view, first, now) {
  if (view.start !== null) return [view.start, view.end];
  const length = RANGES[view.range];
  return [length ? now - length : Math.min(first, now - SHORTEST_MS), now];
}

/** Keep a window within what makes sense: not too short or long, and mostly between `first` and `now`. */
export function bounded([start, end], first, now) {
  const length = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, end - start));
  const [earliest, latest] = [first + (1 - BEYOND) * length, now + BEYOND * length];
  const last = Math.min(Math.max((start + end + length) / 2, earliest), latest);
  return [last - length, last];
}

/** Return an address of the view. */
export function addressOf(path, view) {
  const query = new URLSearchParams();
  view.sensors.forEach((sensor) => query.append("sensor", sensor));
  if (view.start === null) query.set("range", view.range);
  else {
    query.set("start", iso(view.start));
    query.set("end", iso(view.end));
  }
  view.measures.forEach((measure) => query.append("measure", measure));
  if (view.compare !== "rooms") query.set("compare", view.compare);
  return `${path}?${query}`;
}

/** Return the address of the data of a window, and of the same one in so many `years`. */
export function dataAddress(path, { sensors, measures }, [start, end], years = 1) {
  const query = new URLSearchParams(sensors.map((sensor) => ["sensor", sensor]));
  fieldsOf(measures).forEach((field) => query.append("field", field));
  query.set("start", iso(start));
  query.set("end", iso(end));
  if (years > 1) query.set("years", years);
  return `${path}?${query}`;
}

/** Return a window so many years before, by the calendar. */
export function earlier(window, years) {
  return window.map((time) => {
    const at = new Date(time);
    at.setFullYear(at.getFullYear() - years);
    return at.getTime();
  });
}

function iso(time) {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
