// Fingers on a plot: one moves it sideways, two zoom. Up and down still scrolls the page.

// chart(): the plot, or null; range(): what x shows, or null; take([least, most]): show that.
export function touch(box, chart, { range, take }) {
  const fingers = new Map();
  let start = null;

  function hold() {
    const shown = range();
    const xs = [...fingers.values()];
    start = shown && xs.length ? { shown, xs } : null;
  }

  function down(event) {
    if (event.pointerType !== "touch" || !chart()) return;
    fingers.set(event.pointerId, event.clientX);
    hold();
  }

  function move(event) {
    if (!fingers.has(event.pointerId) || !start) return;
    fingers.set(event.pointerId, event.clientX);
    const [least, most] = start.shown;
    const left = chart().over.getBoundingClientRect().left;
    const value = (px) => least + ((px - left) / chart().over.clientWidth) * (most - least);
    const xs = [...fingers.values()];
    if (xs.length === 1) {
      const by = value(start.xs[0]) - value(xs[0]);
      if (Math.abs(xs[0] - start.xs[0]) > 6) take([least + by, most + by]);
    } else if (xs.length === 2) {
      const apart = Math.abs(start.xs[0] - start.xs[1]) / Math.max(20, Math.abs(xs[0] - xs[1]));
      const middle = value((start.xs[0] + start.xs[1]) / 2);
      take([middle - (middle - least) * apart, middle + (most - middle) * apart]);
    }
  }

  function up(event) {
    if (fingers.delete(event.pointerId)) hold();
  }

  const heard = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up };
  for (const [name, f] of Object.entries(heard)) box.addEventListener(name, f);
  return () => {
    for (const [name, f] of Object.entries(heard)) box.removeEventListener(name, f);
  };
}
