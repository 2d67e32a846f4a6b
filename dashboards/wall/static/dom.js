// The few things that every part of the page does with elements. Only text is ever written, never markup.

export const byId = (id) => document.getElementById(id);

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

// Make `parent` hold `count` children, made by `create` where some are missing.
export function fit(parent, count, create) {
  while (parent.children.length > count) parent.lastChild.remove();
  while (parent.children.length < count) parent.append(create());
}

export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, className, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  element.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
