// Elements, numbers and times: what every part of the page needs.

/** Return the element with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element. Children are elements or text; text is never parsed as HTML.
 * `class`, `dataset` and `on...` listeners are set as such, `null` and `false` attributes are left out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  element.append(...children.flat());
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Set an element's text only where it has changed, so that nothing is announced or laid out in vain. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** `0.000052` → `52 µs`, `0.0042` → `4.2 ms`, `12` → `12 s`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const ms = seconds * 1000;
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** `98369536` → `94 MB`. */
export function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  const kilo = count / 1024;
  if (kilo < 1000) return `${Math.round(kilo)} KB`;
  const mega = kilo / 1024;
  return mega < 1000 ? `${mega < 9.95 ? mega.toFixed(1) : Math.round(mega)} MB` : `${(mega / 1024).toFixed(1)} GB`;
}

/** `0.0123` → `1.2 %`. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  return `${value === 0 || value >= 9.95 ? Math.round(value) : value < 0.1 ? "< 0.1" : value.toFixed(1)} %`;
}

const NUMBER = new Intl.NumberFormat("en");

/** `12345` → `12,345`. */
export const integer = (value) => (Number.isFinite(value) ? NUMBER.format(Math.round(value)) : "–");

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Milliseconds since the epoch → `14:02:11`. */
export const timeOfDay = (ms) => TIME.format(ms);
