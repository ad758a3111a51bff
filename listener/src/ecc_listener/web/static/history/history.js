// The history view: what is chosen is in the form and in the page's address; this keeps both in step with the
// charts and the words.

import { now, speed } from "../clock.js";
import { Chart } from "./chart.js";
import { makeFormat } from "./format.js";
import { listen, listenToKeys } from "./gestures.js";
import { fieldsOf, measureOf, toLine } from "./lines.js";
import { toPng } from "./picture.js";
import { addressOf, bounded, dataAddress, earlier, readForm, windowOf } from "./view.js";
import { fillTable, tellLines, tellNotices } from "./words.js";

const SETTLED_MS = 250;
const FRESH_MS = 30_000;

const format = makeFormat(document.documentElement.dataset.units);
const form = document.querySelector("#view");
const most = Number(form.dataset.most);
const state = document.querySelector("#state");
const first = Number(form.dataset.first) * 1000;
const charts = [...form.parentElement.querySelectorAll("figure[data-measure]")].map(
  (figure) => new Chart(figure, measureOf(figure.dataset), format),
);

// On a small screen the charts come first.
if (matchMedia("(max-width: 40rem)").matches) form.querySelectorAll(".fold").forEach((fold) => fold.removeAttribute("open"));

let view = readForm(form);
let window_ = windowOf(view, first, now());
let lines = [];
let comfort = null;
let asking = null;
let timer = null;

const shown = () => charts.filter((chart) => chart.graph && !chart.figure.hidden);

/** Request what the window shows, and for half a window more on either side, so that it can be moved at once. */
async function load() {
  if (!view.sensors.length) {
    state.textContent = "Choose a room.";
    return;
  }
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  document.body.setAttribute("aria-busy", "true");
  try {
    const found = await (view.compare === "years" ? loadYears(signal) : loadRooms(signal));
    if (signal.aborted) return;
    lines = found;
    draw();
  } catch (error) {
    if (error.name !== "AbortError") state.textContent = `The readings could not be loaded: ${error.message}`;
  }
  if (!signal.aborted) document.body.removeAttribute("aria-busy");
}

async function ask(window, signal) {
  const half = (window[1] - window[0]) / 2;
  const wide = [window[0] - half, window[1] + half];
  const response = await fetch(dataAddress("/api/history", view, wide), { signal });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? answer.title);
  comfort = answer.comfort_humidity_percent;
  return answer.sensors;
}

async function loadRooms(signal) {
  const sensors = await ask(window_, signal);
  return sensors.map((sensor, slot) => toLine(sensor, slot, nameOf(sensor.sensor)));
}

async function loadYears(signal) {
  const wanted = [];
  for (let years = 0; years < most && earlier(window_, years)[1] > first; years += 1) wanted.push(years);
  const answers = await Promise.all(wanted.map((years) => ask(earlier(window_, years), signal)));
  return answers.map(([sensor], years) => {
    const then = earlier(window_, years);
    return toLine(sensor, years, String(new Date(then[1]).getFullYear()), window_[0] - then[0]);
  });
}

function nameOf(sensor) {
  return [...form.elements.sensor].find((box) => box.value === sensor)?.dataset.name ?? sensor;
}

function draw() {
  for (const chart of charts) {
    chart.figure.hidden = !view.measures.includes(chart.figure.dataset.measure);
    // What was only just chosen is still being loaded.
    const isLoaded = lines.every((line) => chart.measure.field in line.bands);
    if (!chart.figure.hidden && isLoaded) chart.draw(lines, window_, comfort);
  }
  tell();
}

/** Update words, table and address to what is shown now. */
function tell() {
  const [start, end] = window_;
  const title = view.sensors.map(nameOf).join(", ");
  document.querySelector("#title").textContent = title;
  document.title = `${title} · History`;
  state.textContent = `${format.moment(start)} to ${format.moment(end)}. ${stepWords()}`;
  for (const chart of shown()) {
    tellLines(chart.figure.querySelector(".lines"), chart);
    chart.figure.querySelector(".nodata").hidden = lines.some((line) => line.times.some((time) => time >= start && time <= end));
  }
  const notices = tellNotices(document.querySelector("#notices ul"), lines, window_, format);
  document.querySelector("#notices").hidden = notices === 0;
  tellTable();
  const years = view.compare === "years" ? lines.length : 1;
  document.querySelector("#csv").href = dataAddress("/history.csv", view, window_, years);
  history.replaceState(null, "", addressOf("/history", view));
  fillForm();
}

function stepWords() {
  if (!lines.some((line) => line.times.length)) return "";
  const step = Math.max(0, ...lines.map((line) => line.step));
  return step ? `Each point is the mean of ${format.duration(step)}; the band shows the lowest and highest values.` : "Each point is a reading.";
}

function tellTable() {
  const seen = document.querySelector("#seen");
  if (seen.open && shown().length && lines.length) fillTable(seen.querySelector("table"), shown(), window_, format);
}

function fillForm() {
  form.elements.from.value = format.local(window_[0]);
  form.elements.to.value = format.local(window_[1]);
  for (const radio of form.elements.range) radio.checked = view.start === null && radio.value === view.range;
  form.elements.compare.disabled = view.sensors.length !== 1;
}

/** Go to a window: the drawing at once, data, words and address a moment later. */
function go(window) {
  window_ = bounded(window, first, now());
  [view.start, view.end] = window_;
  shown().forEach((chart) => chart.show(window_));
  clearTimeout(timer);
  timer = setTimeout(load, SETTLED_MS);
}

const timeAt = (share) => window_[0] + share * (window_[1] - window_[0]);

const wishes = {
  zoom(factor, share) {
    const at = timeAt(share);
    go([at - (at - window_[0]) * factor, at + (window_[1] - at) * factor]);
  },
  pan(share) {
    const by = share * (window_[1] - window_[0]);
    go([window_[0] + by, window_[1] + by]);
  },
  select: (from, to) => go([timeAt(Math.min(from, to)), timeAt(Math.max(from, to))]),
  point: (share) => shown().forEach((chart) => chart.point(share === null ? null : timeAt(share))),
  mark: (from, to) => shown().forEach((chart) => chart.mark(from, to)),
  reset() {
    [view.start, view.end] = [null, null];
    change();
  },
};

/** Apply what is chosen in the form. */
function change() {
  form.dataset.start = view.start === null ? "" : view.start / 1000;
  form.dataset.end = view.end === null ? "" : view.end / 1000;
  const before = view;
  view = readForm(form);
  view.range ??= before.range;
  window_ = windowOf(view, first, now());
  load();
}

// --- what people do

for (const chart of charts) {
  listen(chart.plot, () => chart.area(), wishes);
  listenToKeys(chart.figure, wishes);
}
document.querySelector("#moves").addEventListener("click", (event) => {
  const { zoom, pan, reset } = event.target.closest("button")?.dataset ?? {};
  if (zoom) wishes.zoom(Number(zoom), 0.5);
  if (pan) wishes.pan(Number(pan));
  if (reset) wishes.reset();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  const { name, id } = event.target;
  if (name === "sensor" && form.querySelectorAll("[name=sensor]:checked").length > most) {
    event.target.checked = false;
    state.textContent = `At most ${most} rooms at once: deselect one first.`;
    return;
  }
  if (id === "from" || id === "to") {
    const chosen = [form.elements.from, form.elements.to].map((field) => new Date(field.value).getTime());
    if (chosen[0] < chosen[1]) go(chosen);
    return;
  }
  if (name === "range") [view.start, view.end] = [null, null];
  change();
});
document.querySelector("#seen").addEventListener("toggle", tellTable);
document.querySelector("#png").addEventListener("click", async () => {
  if (!shown().length) return;
  const title = `${document.querySelector("#title").textContent}, ${state.textContent}`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await toPng(shown(), title, lines));
  link.download = "history.png";
  link.click();
  URL.revokeObjectURL(link.href);
});
document.querySelector("#print").addEventListener("click", () => window.print());

// --- what changes by itself

const redraw = () => lines.length && draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
for (const [event, isPrinting] of [["beforeprint", true], ["afterprint", false]]) {
  window.addEventListener(event, () => {
    document.documentElement.classList.toggle("printing", isPrinting);
    redraw();
  });
}

/** A range up to now moves on with the time. */
function refresh() {
  if (document.hidden || view.start !== null) return;
  window_ = windowOf(view, first, now());
  load();
}
setInterval(refresh, Math.max(3_000, FRESH_MS / speed));
document.addEventListener("visibilitychange", refresh);

load();
