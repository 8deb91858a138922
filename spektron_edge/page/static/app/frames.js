// Drawing at most once per animation frame, and not at all while the page is hidden.

export class Frames {
  constructor(request = (f) => requestAnimationFrame(f), hidden = () => document.hidden) {
    Object.assign(this, { request, hidden });
    this.waiting = new Set();
    this.asked = false;
  }

  // Have `draw` called once in the next frame, however often it is asked for.
  ask(draw) {
    this.waiting.add(draw);
    this.schedule();
  }

  forget(draw) {
    this.waiting.delete(draw);
  }

  // Also to be called when the page is shown again.
  schedule() {
    if (this.asked || this.hidden() || !this.waiting.size) return;
    this.asked = true;
    this.request(() => {
      this.asked = false;
      const due = [...this.waiting];
      this.waiting.clear();
      for (const draw of due) draw();
    });
  }
}

// The page's own.
export const frames = new Frames();
