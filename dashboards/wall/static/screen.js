// The tiles of one screen, where the site's profile has them: `?screen=ID`, or the keys 1 to 9.

import { byId } from "./dom.js";
import { Entered, Flow, Inside } from "./figures.js";
import { Plan } from "./plan.js";
import { Ranking } from "./ranking.js";
import { Trend } from "./trend.js";

const TILES = { entered: Entered, inside: Inside, flow: Flow, ranking: Ranking, plan: Plan, trend: Trend };
const WIDE = matchMedia("(min-aspect-ratio: 5/2)");

export class Screen {
  #screens = [];
  #shown = null;
  #tiles = [];

  constructor(changed) {
    this.changed = changed;
    this.element = byId("screen");
    WIDE.addEventListener("change", () => this.#lay());
    document.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get title() {
    return this.#shown?.title;
  }

  // Take the site's screens, and show the one that the address names, else the first.
  set(screens) {
    this.#screens = screens;
    const wanted = new URLSearchParams(location.search).get("screen");
    this.#choose(screens.find((each) => each.id === wanted) ?? screens[0]);
  }

  show(view) {
    for (const tile of this.#tiles) tile.show(view);
  }

  #choose(screen) {
    if (JSON.stringify(screen) === JSON.stringify(this.#shown)) return;
    this.#shown = screen;
    this.#tiles = Object.entries(screen.tiles).map(([letter, spec]) => {
      const tile = new TILES[spec.shows](spec);
      tile.element.style.gridArea = letter;
      return tile;
    });
    this.element.replaceChildren(...this.#tiles.map((tile) => tile.element));
    this.#lay();
  }

  #lay() {
    if (!this.#shown) return;
    const lines = WIDE.matches ? this.#shown.wide : this.#shown.layout;
    this.element.style.gridTemplateAreas = lines.map((line) => `"${[...line].join(" ")}"`).join(" ");
    this.element.style.gridTemplateColumns = `repeat(${lines[0].length}, minmax(0, 1fr))`;
    this.element.style.gridTemplateRows = `repeat(${lines.length}, minmax(0, 1fr))`;
    this.changed();
  }

  #onKey(event) {
    const screen = this.#screens[Number(event.key) - 1];
    if (!screen || event.target.matches("input") || event.ctrlKey || event.altKey || event.metaKey) return;
    const address = new URL(location.href);
    address.searchParams.set("screen", screen.id);
    history.replaceState(null, "", address); // so that the choice survives the nightly reload
    this.#choose(screen);
  }
}
