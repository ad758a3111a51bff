// Turns finger, mouse, wheel and keyboard into three actions: zoom(factor, share), pan(share), select(from, to).
// Shares are of the plot's width, 0 at its left end and 1 at its right.

const TAP_PX = 8;
const KEY_PAN = 0.25;

/** Listen on a plot; `area()` gives its drawing area as {left, width} in client pixels, null before it is drawn. */
export function listen(plot, area, wishes) {
  const share = (clientX) => (area() ? (clientX - area().left) / area().width : 0);
  const down = new Map(); // pointers that touch the plot, by id: where they are now
  let drag = null; // {from, x, selects}: what one pointer has begun

  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, event.clientX);
    plot.setPointerCapture(event.pointerId);
    const selects = event.pointerType === "mouse" && !event.shiftKey;
    drag = { from: event.clientX, x: event.clientX, selects, moved: false };
    plot.closest("[tabindex]")?.focus({ preventScroll: true });
  });

  plot.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) {
      wishes.point(share(event.clientX));
      return;
    }
    if (down.size === 2) {
      pinch(down, event, share, wishes);
      drag = null;
    } else if (drag) {
      drag.moved ||= Math.abs(event.clientX - drag.from) > TAP_PX;
      if (drag.selects && drag.moved) wishes.mark(share(drag.from), share(event.clientX));
      if (!drag.selects && drag.moved) wishes.pan(share(drag.x) - share(event.clientX));
      drag.x = event.clientX;
    }
    down.set(event.pointerId, event.clientX);
  });

  const up = (event) => {
    if (!down.delete(event.pointerId)) return;
    wishes.mark(null);
    if (drag && event.type === "pointerup") {
      if (!drag.moved) wishes.point(share(event.clientX));
      else if (drag.selects) wishes.select(share(drag.from), share(event.clientX));
    }
    drag = null;
  };
  plot.addEventListener("pointerup", up);
  plot.addEventListener("pointercancel", up);
  plot.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && !down.size) wishes.point(null);
  });
  plot.addEventListener("dblclick", () => wishes.reset());
  plot.addEventListener("wheel", (event) => wheel(event, share, wishes), { passive: false });
}

/** Two fingers: what is under each finger stays there. */
function pinch(down, event, share, wishes) {
  const other = [...down].find(([id]) => id !== event.pointerId)[1];
  const before = down.get(event.pointerId) - other;
  const after = event.clientX - other;
  if (Math.abs(after) > TAP_PX && Math.abs(before) > TAP_PX) wishes.zoom(Math.abs(before / after), share(other));
}

/** The wheel scrolls the page; only with Ctrl (a touchpad's pinch) or sideways it moves the plot. */
function wheel(event, share, wishes) {
  if (event.ctrlKey) wishes.zoom(Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 100), share(event.clientX));
  else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) wishes.pan(share(event.deltaX) - share(0));
  else return;
  event.preventDefault();
}

/** Listen for the keys that are named below the charts. */
export function listenToKeys(element, wishes) {
  const keys = {
    ArrowLeft: () => wishes.pan(-KEY_PAN),
    ArrowRight: () => wishes.pan(KEY_PAN),
    "+": () => wishes.zoom(0.5, 0.5),
    "=": () => wishes.zoom(0.5, 0.5),
    "-": () => wishes.zoom(2, 0.5),
    0: () => wishes.reset(),
    Home: () => wishes.reset(),
  };
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
}
