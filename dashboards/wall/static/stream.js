// The connection to the server, and how old its last word is.
//
// EventSource gives up for ever after one answer that is not 200, and does not notice a server that hangs: so every
// failure and every silence closes it, and a new one is made a little later.

const SILENCE_MS = 5000;
const LONGEST_WAIT_MS = 10000;

export function follow(address, handlers) {
  let source = null;
  let failures = 0;
  let heard = performance.now();
  let waiting = false;

  function open() {
    waiting = false;
    heard = performance.now();
    source = new EventSource(address);
    source.onerror = retry;
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (message) => {
        heard = performance.now();
        failures = 0;
        handle(JSON.parse(message.data));
      });
    }
  }

  function retry() {
    if (waiting) return;
    waiting = true;
    source.close();
    const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** failures) * (0.75 + Math.random() / 2);
    failures += 1;
    setTimeout(open, wait);
  }

  setInterval(() => performance.now() - heard > SILENCE_MS && retry(), 500);
  open();
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
