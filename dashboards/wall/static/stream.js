// The connection to the server, and how long its events were on their way.
//
// EventSource gives up for ever after one answer that is not 200, and does not notice a server that hangs. So every
// failure and every silence closes it, and a new one is opened a little later.

const SILENCE_MS = 5000;
const LONGEST_WAIT_MS = 10000;

export class Stream {
  #source = null;
  #failures = 0;
  #received = 0;
  #timer = null; // of the next attempt
  #closed = true;

  // `address()` is called at each attempt; `failed()` is called for each one that failed.
  constructor(address, handlers, failed = () => {}) {
    Object.assign(this, { address, handlers, failed });
    setInterval(() => !this.#closed && this.#timer === null && performance.now() - this.#received > SILENCE_MS && this.#retry(), 500);
  }

  open() {
    this.close();
    this.#closed = false;
    this.#received = performance.now();
    this.#source = new EventSource(this.address());
    this.#source.onerror = () => this.#retry();
    for (const [name, handle] of Object.entries(this.handlers)) {
      this.#source.addEventListener(name, (message) => {
        this.#received = performance.now();
        this.#failures = 0;
        handle(JSON.parse(message.data));
      });
    }
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#source?.close();
  }

  #retry() {
    if (this.#timer !== null) return;
    this.#source.close();
    const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** this.#failures) * (0.75 + Math.random() / 2);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.open(), wait);
    this.failed();
  }
}

// How long a beat was on its way, beyond the fastest one: `sent_ms` is the server's clock since it started and has
// nothing to do with ours, but the difference of the two only changes when a beat is held up somewhere.
// The two clocks may drift apart by DRIFT.
const DRIFT = 0.0002;

export class Transit {
  #boot = null;
  #fastest = 0;
  #at = 0;

  delay({ boot, sent_ms }, now) {
    const offset = now - sent_ms;
    const fresh = boot !== this.#boot;
    this.#fastest = fresh ? offset : Math.min(offset, this.#fastest + (now - this.#at) * DRIFT);
    this.#boot = boot;
    this.#at = now;
    return offset - this.#fastest;
  }
}
