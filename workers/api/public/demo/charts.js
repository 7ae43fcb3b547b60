// Two small charts. Their figures also stand as text beside them.

import { duration, h, integer, svg } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 32;

/** Return a line over the last values; `null` is a gap. The highest value, at least `least`, is the top. */
export function sparkline(values, { label, least = 0, points = values.length }) {
  const top = Math.max(least, ...values.filter((value) => value !== null)) || 1;
  const step = WIDTH / Math.max(points - 1, 1);
  const start = points - values.length;
  const place = (value, index) => `${((start + index) * step).toFixed(1)} ${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`;
  let path = "";
  let isDrawn = false;
  values.forEach((value, index) => {
    if (value !== null) path += `${isDrawn ? "L" : "M"}${place(value, index)}`;
    isDrawn = value !== null;
  });
  const attributes = { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  return svg("svg", attributes, svg("path", { d: path || "M0 0", "vector-effect": "non-scaling-stroke" }));
}

/** Return a bar for each bucket of a histogram: `[{upToS, count}]`. Empty buckets at both ends are left out. */
export function bars(buckets, label) {
  const shown = trimmed(buckets);
  const highest = Math.max(...shown.map(({ count }) => count), 1);
  const rows = shown.map(({ upToS, count }) => {
    const bar = h("span", { class: "bar" });
    bar.style.setProperty("--share", String(count / highest));
    const range = upToS === Infinity ? "longer" : `up to ${duration(upToS)}`;
    return h("li", {}, h("span", { class: "range" }, range), h("span", { class: "track" }, bar), h("span", { class: "count" }, integer(count)));
  });
  return h("ol", { class: "bars", "aria-label": label }, rows);
}

function trimmed(buckets) {
  const first = buckets.findIndex(({ count }) => count);
  const last = buckets.findLastIndex(({ count }) => count);
  return first < 0 ? [] : buckets.slice(first, last + 1);
}
