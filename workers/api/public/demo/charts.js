// Two small charts. Both are pictures of figures that also stand as text beside them.

import { duration, svg } from "./dom.js";

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

/** Return bars, one for each bucket of a histogram: `[{upToS, count}]`. Empty buckets at both ends are left out. */
export function bars(buckets, label) {
  const shown = trimmed(buckets);
  const highest = Math.max(...shown.map(({ count }) => count), 1);
  const width = 640 / Math.max(shown.length, 1);
  const root = svg("svg", { class: "bars", viewBox: "0 0 640 170", role: "img", "aria-label": label });
  shown.forEach(({ upToS, count }, index) => {
    const height = count ? Math.max((count / highest) * 120, 2) : 0;
    const left = index * width;
    const middle = left + width / 2;
    const title = svg("title", {}, `${count} up to ${duration(upToS)}`);
    root.append(svg("rect", { x: left + 3, y: 140 - height, width: width - 6, height, rx: 3 }, title));
    if (count) root.append(svg("text", { x: middle, y: 132 - height, class: "value" }, String(count)));
    const text = upToS === Infinity ? "longer" : `≤ ${duration(upToS)}`;
    root.append(svg("text", { x: middle, y: 160 }, text));
  });
  root.append(svg("line", { x1: 0, x2: 640, y1: 140, y2: 140 }));
  return root;
}

function trimmed(buckets) {
  const first = buckets.findIndex(({ count }) => count);
  const last = buckets.findLastIndex(({ count }) => count);
  if (first < 0) return [];
  return buckets.slice(Math.max(first - 1, 0), Math.min(last + 2, buckets.length - 1) || undefined);
}
