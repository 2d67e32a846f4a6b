"""What can be measured of a page's looks: texts that are cut off, the size of their letters, and their contrast."""

import time
from typing import Any

from playwright.sync_api import Page

SCREENS = ((1920, 1080), (3840, 2160), (3840, 1080), (1366, 768))
"""What a wall may be: the design's own size, 4K, 32:9, and an office display."""

# Texts of which only a part can be seen, and boxes that stick out of the screen. What does not fit may be left out as a
# whole, but half a number is another number. Only names may end in an ellipsis.
_CUT_OFF = """() => {
    const screen = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
    const overlap = (one, other) => ({
        left: Math.max(one.left, other.left), top: Math.max(one.top, other.top),
        right: Math.min(one.right, other.right), bottom: Math.min(one.bottom, other.bottom),
    });
    const area = ({ left, top, right, bottom }) => Math.max(0, right - left) * Math.max(0, bottom - top);
    const NAMES = ".name, .title, .where, .zone, #title";
    const cut = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const { data, parentElement: parent } = texts.currentNode;
        if (!data.trim() || parent.closest("dialog") || parent.matches(NAMES)) continue;
        const range = document.createRange();
        range.selectNodeContents(texts.currentNode);
        const { left, right, top, height } = range.getBoundingClientRect();
        const letters = { left, right, top: top + 0.25 * height, bottom: top + 0.75 * height };
        if (!area(letters) || getComputedStyle(parent).visibility === "hidden") continue;
        let seen = overlap(letters, screen);
        for (let box = parent; box !== document.body; box = box.parentElement) {
            const { overflowX, display } = getComputedStyle(box);
            if (overflowX !== "visible" && display !== "inline") seen = overlap(seen, box.getBoundingClientRect());
        }
        const share = area(seen) / area(letters);
        if (share > 0.02 && share < 0.97) cut.push(`${parent.className}: ${data}`);
    }
    return cut;
}"""

_OVERLAPS = """([one, other]) => {
    const seen = (selector, tile) => [...tile.querySelectorAll(selector)]
        .map((box) => [box, box.getBoundingClientRect()]).filter(([, { width, height }]) => width && height);
    const before = (a, b) => a.right <= b.left + 1 || a.bottom <= b.top + 1;
    const apart = (a, b) => before(a, b) || before(b, a);
    return [...document.querySelectorAll(".tile")].flatMap((tile) => seen(one, tile).flatMap(([box, place]) =>
        seen(other, tile).some(([, next]) => !apart(place, next)) ? [box.textContent] : []));
}"""

# Height in pixels of the ink of a capital letter or a digit, as this element's font has it: [name, text, height].
_LETTERS = """(selectors) => {
    const context = document.createElement("canvas").getContext("2d");
    const found = [];
    for (const selector of selectors) {
        for (const element of document.querySelectorAll(selector)) {
            const { height } = element.getBoundingClientRect();
            const text = element.textContent.trim();
            if (!height || !text) continue;
            const { fontWeight, fontSize, fontFamily, visibility } = getComputedStyle(element);
            if (visibility === "hidden") continue;
            context.font = `${fontWeight} ${fontSize} ${fontFamily}`;
            const sample = /[\\u4e00-\\u9fff]/.test(text) ? "国" : "0";
            const ink = context.measureText(sample);
            found.push([selector, text, ink.actualBoundingBoxAscent + ink.actualBoundingBoxDescent]);
        }
    }
    return found;
}"""

# WCAG's contrast of every text with the ground behind it: [class, text, ratio, font size in pixels].
_CONTRAST = """() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const paint = (colours) => {
        context.fillStyle = "#000";
        context.fillRect(0, 0, 1, 1);
        for (const colour of colours) {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
        }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (colour) => {
        const [red, green, blue] = colour.map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const parent = texts.currentNode.parentElement;
        const style = getComputedStyle(parent);
        const { width, height } = parent.getBoundingClientRect();
        if (!texts.currentNode.data.trim() || !width || !height || style.visibility === "hidden") continue;
        if (parent.closest("dialog")) continue;
        const grounds = [];
        for (let box = parent; box; box = box.parentElement) {
            const stripes = getComputedStyle(box).backgroundImage.match(/rgba?\\([^)]*\\)|color\\([^)]*\\)/);
            grounds.unshift(stripes ? stripes[0] : getComputedStyle(box).backgroundColor);
        }
        const ink = style.fill !== "rgb(0, 0, 0)" && parent instanceof SVGElement ? style.fill : style.color;
        const [light, dark] = [luminance(paint([...grounds, ink])), luminance(paint(grounds))].sort((a, b) => b - a);
        const name = typeof parent.className === "string" ? parent.className : parent.getAttribute("class");
        const ratio = (light + 0.05) / (dark + 0.05);
        found.push([name || parent.id || parent.tagName, texts.currentNode.data, ratio, parseFloat(style.fontSize)]);
    }
    return found;
}"""


def cut_off(page: Page, seconds: float = 5.0) -> list[str]:
    """Return the texts of which only a part can be seen, once the page has had time to take a new size in."""
    deadline = time.monotonic() + seconds
    while (found := page.evaluate(_CUT_OFF)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [str(text) for text in found]


def overlaps(page: Page, one: str, other: str) -> list[str]:
    """Return the texts of boxes that lie over boxes that they should lie beside, in the same tile."""
    found: list[str] = page.evaluate(_OVERLAPS, [one, other])
    return found


def letters(page: Page, *selectors: str) -> list[tuple[str, str, float]]:
    """Return (selector, text, pixels): how high a digit or a Chinese character of each text is."""
    found: list[Any] = page.evaluate(_LETTERS, list(selectors))
    return [(str(selector), str(text), float(height)) for selector, text, height in found]


def contrasts(page: Page) -> list[tuple[str, str, float, float]]:
    """Return (class, text, ratio, font size in pixels) of every text that can be seen."""
    found: list[Any] = page.evaluate(_CONTRAST)
    return [(str(name), str(text), float(ratio), float(size)) for name, text, ratio, size in found]
