// Keeps the rooms up to date: the server sends what changes, and this replaces it on the page.
// A page that nobody sees requests nothing.

import { tellAgo } from "./ago.js";

const QUIET_MS = 60_000;
const AGAIN_MS = 5_000;

const rooms = document.getElementById("rooms");
const line = document.getElementById("line");
let version = rooms?.dataset.version ?? "";
let source = null;
let lost = null;
let watchdog = 0;
let again = 0;

function open() {
  clearTimeout(again);
  source?.close();
  source = new EventSource(`/live?have=${encodeURIComponent(version)}`);
  source.onopen = heard;
  source.addEventListener("beat", heard);
  source.onmessage = (event) => {
    heard();
    version = event.lastEventId;
    show(JSON.parse(event.data));
  };
  source.onerror = () => {
    tellLost();
    // Reconnect where the browser doesn't by itself, such as after a response with status 503.
    if (source.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS);
  };
  watch();
}

function close() {
  source?.close();
  source = null;
  clearTimeout(watchdog);
  clearTimeout(again);
}

function watch() {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => { tellLost(); open(); }, QUIET_MS);
}

function heard() {
  lost = null;
  if (line.textContent) line.textContent = "";
  watch();
}

function tellLost() {
  if (lost) return;
  lost = new Date();
  const time = lost.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  line.textContent = `This page lost the connection to its server at ${time}. It shows what was known then, and tries to reconnect.`;
}

function show({ order, parts }) {
  // The first sensor, or one more than is shown: then the page has another structure.
  if (rooms.tagName !== "UL" && order.length) return location.reload();
  for (const [id, html] of Object.entries(parts)) {
    if (id === "newest") document.getElementById(id)?.setAttribute("datetime", html);
    else if (id === "status") document.getElementById(id).innerHTML = html;
    else replace(id, html);
  }
  arrange(order);
  tellAgo();
}

function replace(id, html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  const card = made.content.firstElementChild;
  card.classList.add("fresh");
  const old = document.getElementById(id);
  const hadFocus = old?.contains(document.activeElement);
  if (old) old.replaceWith(card);
  else rooms.append(card);
  if (hadFocus) card.querySelector("a").focus({ preventScroll: true });
}

function arrange(order) {
  const wanted = new Set(order);
  for (const card of [...rooms.children]) if (!wanted.has(card.id)) card.remove();
  order.forEach((id, place) => {
    const card = document.getElementById(id);
    if (card && rooms.children[place] !== card) rooms.insertBefore(card, rooms.children[place] ?? null);
  });
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
if (rooms && !document.hidden) open();
