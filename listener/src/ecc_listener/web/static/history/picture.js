// The charts as one PNG: dygraphs' canvases, and what is around them as HTML, painted onto one canvas.

import { STYLES, drawMarker, property } from "./chart.js";

const MARGIN_PX = 16;
const LINE_PX = 22;
const SCALE = window.devicePixelRatio;

/** Return a PNG of the shown charts with title and legend, as a Blob. */
export function toPng(charts, title, lines) {
  const width = charts[0].plot.clientWidth + 2 * MARGIN_PX;
  const legend = lines.length > 1 ? lines : [];
  const head = MARGIN_PX + (legend.length + 1) * LINE_PX;
  const height = head + charts.reduce((sum, chart) => sum + LINE_PX + chart.plot.clientHeight, 0) + MARGIN_PX;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
  const context = canvas.getContext("2d");
  context.scale(SCALE, SCALE);
  context.fillStyle = property("--plot-page");
  context.fillRect(0, 0, width, height);
  write(context, title, MARGIN_PX, MARGIN_PX, "bold 16px", width - 2 * MARGIN_PX);
  legend.forEach((line, at) => {
    const y = MARGIN_PX + (at + 1) * LINE_PX;
    sample(context, line.slot, MARGIN_PX, y + 8);
    write(context, line.name, MARGIN_PX + 52, y, "14px", width - 2 * MARGIN_PX - 52);
  });
  let top = head;
  for (const chart of charts) {
    write(context, chart.title, MARGIN_PX, top, "bold 14px", width - 2 * MARGIN_PX);
    paint(context, chart.plot, MARGIN_PX, top + LINE_PX);
    top += LINE_PX + chart.plot.clientHeight;
  }
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/** Paint a plot's canvases and the labels of its axes. */
function paint(context, plot, left, top) {
  const box = plot.getBoundingClientRect();
  for (const layer of plot.querySelectorAll("canvas")) {
    context.drawImage(layer, left, top, layer.clientWidth, layer.clientHeight);
  }
  context.fillStyle = property("--plot-text");
  context.font = `12px ${family()}`;
  for (const label of plot.querySelectorAll(".dygraph-axis-label")) {
    const range = document.createRange();
    range.selectNodeContents(label);
    const at = range.getBoundingClientRect();
    context.fillText(label.textContent, left + at.left - box.left, top + at.top - box.top);
  }
}

/** Draw how a line looks, 40 px wide. */
export function sample(context, slot, x, y) {
  const { dashes, marker, color } = STYLES[slot];
  context.strokeStyle = property(color);
  context.lineWidth = 2;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + 40, y);
  context.stroke();
  drawMarker(context, marker, x + 20, y, property(color));
}

function write(context, text, x, y, size, width) {
  context.fillStyle = property("--plot-text");
  context.font = `${size} ${family()}`;
  context.textBaseline = "top";
  context.fillText(text, x, y, width);
}

function family() {
  return getComputedStyle(document.body).fontFamily;
}
