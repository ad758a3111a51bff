// Shows how long ago a time is in every element with `data-ago`, and keeps it up to date.

import { now, speed } from "./clock.js";

const MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86_400;

function words(seconds) {
  if (seconds < MINUTE_S) return "just now";
  if (seconds < 2 * HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min ago`;
  if (seconds < 2 * DAY_S) return `${Math.floor(seconds / HOUR_S)} h ago`;
  return `${Math.floor(seconds / DAY_S).toLocaleString("en")} days ago`;
}

export function tellAgo() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const said = words(Math.max(0, (now() - Date.parse(time.dateTime)) / 1000));
    if (time.textContent !== said) time.textContent = said;
  }
}

tellAgo();
setInterval(tellAgo, Math.max(1_000, 15_000 / speed));
