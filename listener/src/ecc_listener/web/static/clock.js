// The server's time. It is this device's time, except in the demonstration, whose clock runs faster:
// `data-clock` has the time at which it started, this device's time at that moment, and its speed.

const [start, startedAt, rate] = (document.documentElement.dataset.clock ?? "0 0 1").split(" ").map(Number);

export const speed = rate;

/** Return the time in milliseconds since 1970. */
export const now = () => start + (Date.now() - startedAt) * speed;
