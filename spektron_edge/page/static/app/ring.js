// A bounded list: the newest `size` items, the oldest give way.

export class Ring {
  constructor(size) {
    this.size = size;
    this.items = [];
  }

  push(item) {
    this.items.push(item);
    // Cut in bulk: shifting one by one would move the whole list each time.
    if (this.items.length >= 2 * this.size) this.items = this.items.slice(-this.size);
  }

  get length() {
    return Math.min(this.items.length, this.size);
  }

  get last() {
    return this.items.at(-1) ?? null;
  }

  // Oldest first.
  all() {
    return this.items.length > this.size ? this.items.slice(-this.size) : this.items.slice();
  }

  clear() {
    this.items = [];
  }
}
