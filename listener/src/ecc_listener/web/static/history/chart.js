// One measure's chart. dygraphs draws lines, bands and axes; what is behind them and the cursor are drawn here.

import { nearest, toRows, valueRange } from "./lines.js";

const { Dygraph } = window;
// Both of these would set styles in markup, which the page's policy forbids; nothing here needs them.
Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];
Dygraph.addedAnnotationCSS = true;

/** Lines differ in colour, dashes and marker: any one of them is enough to distinguish them. */
const DASHES = [[], [9, 4], [2, 3], [12, 3, 2, 3], [5, 5], [14, 6]];
const MARKERS = ["circle", "square", "triangle", "diamond", "cross", "ring"];
const MARKER_EVERY_PX = 90;
const MARKER_PX = 4;
const REACH_PX = 24;
const LINE_PX = 1.8;
const NOTICE_PX = 7;

export const STYLES = DASHES.map((dashes, slot) => ({ dashes, marker: MARKERS[slot], color: `--line-${slot + 1}` }));

/** Return a custom property of the style sheets, as it is now: light, dark or for print. */
export function property(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Chart {
  /** Create the chart of a figure and its measure; `format` formats numbers and times. */
  constructor(figure, measure, format) {
    Object.assign(this, { figure, measure, format });
    this.plot = figure.querySelector(".plot");
    this.cursor = figure.querySelector(".cursor");
    this.marked = figure.querySelector(".marked");
    this.readout = figure.querySelector(".readout");
    this.title = figure.querySelector("h3").textContent;
    this.lines = [];
    new ResizeObserver(() => this.graph?.resize()).observe(this.plot);
  }

  get convert() {
    return this.measure.isTemperature ? this.format.temperature : Number;
  }

  /** Draw lines in a window of time, replacing what was drawn. */
  draw(lines, window, comfort) {
    Object.assign(this, { lines, window, comfort });
    this.graph?.destroy();
    this.graph = new Dygraph(this.plot, toRows(lines, this.measure.field, this.convert, window), this.options());
  }

  /** Move the window; the drawing stays until new data arrives. */
  show(window) {
    this.window = window;
    this.point(null);
    this.graph.updateOptions({ dateWindow: window, valueRange: this.valueRange() });
  }

  valueRange() {
    return valueRange(this.lines, this.measure, this.convert, this.window);
  }

  options() {
    const axis = { axisLineColor: property("--plot-axis"), axisLabelColor: property("--plot-text"), axisLabelFontSize: 12 };
    return {
      labels: ["time", ...this.lines.map((line) => `line ${line.slot}`)],
      colors: this.lines.map((line) => property(STYLES[line.slot].color)),
      plotter: [Dygraph.Plotters.errorPlotter, (drawn) => this.plotLine(drawn)],
      customBars: true,
      connectSeparatedPoints: true,
      fillAlpha: 0.16,
      strokeWidth: LINE_PX,
      dateWindow: this.window,
      valueRange: this.valueRange(),
      interactionModel: {},
      highlightCircleSize: 0,
      gridLineColor: property("--plot-grid"),
      rightGap: 12,
      underlayCallback: (context, area, graph) => this.underlay(context, area, graph),
      axes: {
        x: { ...axis, ticker: Dygraph.dateTicker, pixelsPerLabel: 56, axisLabelWidth: 54, axisLabelFormatter: (time, step) => this.tick(new Date(time), step) },
        y: { ...axis, pixelsPerLabel: 34, axisLabelWidth: 44, axisLabelFormatter: (value) => (this.measure.isFurther ? this.format.significant(value) : this.format.tick(value)) },
      },
    };
  }

  tick(date, step) {
    if (step >= Dygraph.MONTHLY) return this.format.month(date);
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
    return step >= Dygraph.DAILY || isMidnight ? this.format.day(date) : this.format.clock(date);
  }

  /** Draw a line with its dashes and, where there are others, its markers; a point between gaps is a dot. */
  plotLine({ drawingContext: context, points, color, seriesIndex, plotArea }) {
    const { dashes, marker } = STYLES[this.lines[seriesIndex].slot];
    const known = points.filter((point) => point.yval !== null);
    const isBroken = (at) => !known[at] || Number.isNaN(known[at].yval);
    context.setLineDash(dashes);
    context.beginPath();
    known.forEach(({ canvasx: x, canvasy: y }, at) => {
      if (isBroken(at)) return;
      if (isBroken(at - 1)) context.moveTo(x, y);
      else context.lineTo(x, y);
    });
    context.stroke();
    // The first marker of each line stands a little further on, so that lines that meet show theirs apart.
    let next = this.lines.length > 1 ? plotArea.x + 12 + 15 * seriesIndex : Infinity;
    known.forEach(({ canvasx: x, canvasy: y }, at) => {
      if (isBroken(at)) return;
      if (isBroken(at - 1) && isBroken(at + 1)) drawMarker(context, "circle", x, y, color, LINE_PX);
      if (x < next) return;
      drawMarker(context, marker, x, y, color);
      next = Math.max(next, x - MARKER_EVERY_PX) + MARKER_EVERY_PX;
    });
  }

  /** Draw what is behind the lines: the comfort band, limits, and when there were notices. */
  underlay(context, area, graph) {
    const y = (value) => graph.toDomYCoord(value);
    context.save();
    context.beginPath();
    context.rect(area.x, area.y, area.w, area.h);
    context.clip();
    if (this.hasComfort) {
      context.fillStyle = property("--plot-comfort");
      context.fillRect(area.x, y(this.comfort[1]), area.w, y(this.comfort[0]) - y(this.comfort[1]));
    }
    for (const line of this.lines) {
      this.drawLimits(context, area, line, y);
      this.drawNotices(context, area, line, graph);
    }
    context.restore();
  }

  drawLimits(context, area, line, y) {
    context.strokeStyle = property(STYLES[line.slot].color);
    context.lineWidth = 1;
    context.setLineDash([1, 3]);
    for (const limit of this.limitsOf(line)) {
      const at = Math.round(y(this.convert(limit.value))) + 0.5;
      context.beginPath();
      context.moveTo(area.x, at);
      context.lineTo(area.x + area.w, at);
      context.stroke();
    }
    context.setLineDash([]);
  }

  drawNotices(context, area, line, graph) {
    const edge = graph.toDataXCoord(area.x + area.w);
    for (const { since, over } of line.notices) {
      const from = Math.max(area.x, graph.toDomXCoord(since));
      const to = graph.toDomXCoord(Math.min(over, edge));
      context.fillStyle = property("--plot-notice");
      context.globalAlpha = 0.12;
      context.fillRect(from, area.y, Math.max(2, to - from), area.h);
      context.globalAlpha = 1;
      context.fillRect(from, area.y, Math.max(4, to - from), NOTICE_PX);
    }
  }

  /** Return the drawing area in client pixels; null before anything is drawn. */
  area() {
    if (!this.graph) return null;
    const box = this.plot.getBoundingClientRect();
    const { x, w } = this.graph.getArea();
    return { left: box.left + x, width: w };
  }

  /** Show the cursor at a time and the values of the lines there; null hides it. */
  point(time) {
    const { x, w } = this.graph.getArea();
    const isSeen = time !== null && time >= this.window[0] && time <= this.window[1];
    this.cursor.hidden = !isSeen;
    this.readout.textContent = "";
    if (!isSeen) return;
    this.cursor.style.left = `${this.graph.toDomXCoord(time)}px`;
    const reach = (REACH_PX / w) * (this.window[1] - this.window[0]);
    const values = this.lines.map((line) => this.valueAt(line, nearest(line, this.measure.field, time, reach)));
    this.readout.textContent = `${this.format.about(time, this.lines[0]?.step ?? 0)}: ${values.join(" · ")}`;
    this.cursor.classList.toggle("late", x + w / 2 < this.graph.toDomXCoord(time));
  }

  valueAt(line, at) {
    const name = this.lines.length > 1 ? `${line.name} ` : "";
    if (at < 0) return `${name}no reading`;
    const [low, mean, high] = line.bands[this.measure.field][at].map(this.convert);
    const range = line.step ? ` (${this.number(low)} to ${this.number(high)})` : "";
    return `${name}${this.value(mean)}${range}`;
  }

  /** Write a converted number: of what sensors invent, the size is unknown. */
  number(value) {
    return this.measure.isFurther ? this.format.significant(value) : this.format.number(value);
  }

  /** Write it with its unit. */
  value(number) {
    return `${this.number(number)} ${this.unit}`.trim();
  }

  /** Return the limits of a line that are of this measure; those of further numbers are in lower case. */
  limitsOf(line) {
    const { field, isFurther } = this.measure;
    return line.limits.filter(({ measure }) => (isFurther ? `field:${measure}` === field.toLowerCase() : measure === field));
  }

  get hasComfort() {
    return this.comfort !== null && this.measure.field === "humidity_percent";
  }

  get unit() {
    return this.measure.isTemperature ? this.format.unit : this.measure.unit;
  }

  /** Show what the mouse is selecting, as two shares of the plot's width; null hides it. */
  mark(from, to) {
    this.marked.hidden = from === null;
    if (from === null) return;
    const { x, w } = this.graph.getArea();
    const [left, right] = [from, to].sort((one, other) => one - other).map((share) => Math.min(1, Math.max(0, share)));
    this.marked.style.left = `${x + left * w}px`;
    this.marked.style.width = `${(right - left) * w}px`;
  }
}

/** Draw one marker, filled or not, at a place of a canvas. */
export function drawMarker(context, marker, x, y, color, r = MARKER_PX) {
  context.beginPath();
  context.setLineDash([]);
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = 2;
  if (marker === "circle" || marker === "ring") context.arc(x, y, r, 0, 2 * Math.PI);
  if (marker === "square") context.rect(x - r, y - r, 2 * r, 2 * r);
  if (marker === "triangle") polygon(context, [[x, y - r], [x + r, y + r], [x - r, y + r]]);
  if (marker === "diamond") polygon(context, [[x, y - r - 1], [x + r + 1, y], [x, y + r + 1], [x - r - 1, y]]);
  if (marker === "cross") {
    context.moveTo(x - r, y - r);
    context.lineTo(x + r, y + r);
    context.moveTo(x + r, y - r);
    context.lineTo(x - r, y + r);
  }
  if (marker === "cross" || marker === "ring") context.stroke();
  else context.fill();
}

function polygon(context, [first, ...rest]) {
  context.moveTo(...first);
  rest.forEach((corner) => context.lineTo(...corner));
  context.closePath();
}
