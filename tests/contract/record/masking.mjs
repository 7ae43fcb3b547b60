// What changes from run to run becomes a text in angle brackets.
const VARYING_KEYS = {
  duration: "<duration>",
  timings: "<timings>",
  sql_duration_ms: "<duration>",
  uploaded: "<date>",
  served_by_colo: "<colo>",
  scheduledTime: "<time>",
};
const FORMS = [
  [/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, "<uuid>"],
  [/^[0-9a-f]{16}$/, "<hex16>"],
  [/^[0-9a-f]{32}$/, "<hex32>"],
  [/^"[0-9a-f]{32}"$/, '<"hex32">'],
  [/^[0-9a-f]{64}$/, "<hex64>"],
  [/^[0-9a-f]{128,}$/, "<hexlong>"],
  [/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, "<isodate>"],
  [/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/, "<httpdate>"],
  [/^[A-Za-z0-9+/_=-]{16,}$/, "<token>"],
];
const STACK = /(\n    at [^\n]*)+/g;

const isObject = (value) => value !== null && typeof value === "object";
const formOf = (text) => FORMS.find(([form]) => form.test(text))?.[1];

/** Two recordings of one thing to one, placeholders where they differ. */
export function mask(first, second, key = "") {
  if (key in VARYING_KEYS && first !== null && first !== undefined) return VARYING_KEYS[key];
  if (Array.isArray(first) && Array.isArray(second) && first.length === second.length) {
    return first.map((item, index) => mask(item, second[index], index));
  }
  if (isObject(first) && isObject(second) && Object.keys(first).join("\0") === Object.keys(second).join("\0")) {
    return Object.fromEntries(Object.keys(first).map((name) => [name, mask(first[name], second[name], name)]));
  }
  const [one, other] = [first, second].map((value) => (typeof value === "string" ? value.replace(STACK, "<stack>") : value));
  return JSON.stringify(one) === JSON.stringify(other) ? one : maskLeaf(one, other);
}

function maskLeaf(first, second) {
  if (typeof first === "number" && typeof second === "number") return "<number>";
  if (typeof first !== "string" || typeof second !== "string") return "<varies>";
  const form = formOf(first);
  if (form) return form;
  const [words, others] = [first, second].map((text) => text.split(/([0-9a-zA-Z_-]+)/));
  if (words.length !== others.length) return "<varies-string>";
  return words.map((word, index) => (word === others[index] ? word : (formOf(word) ?? "<varies>"))).join("");
}

/** A length that counts the characters of a stack varies with it; of HEAD there is but the length. */
export function maskLength(result, { method }) {
  for (const answer of [result.ok].flat()) {
    if (!answer?.body?.includes?.("<stack>") && !(method === "HEAD" && answer?.status === 500)) continue;
    for (const header of answer.headers ?? []) if (/^\d+$/.test(header[1]) && header[0] === "Content-Length") header[1] = "<number>";
  }
  return result;
}

/** Paths at which a recorded value and a new one differ; a placeholder on either side matches. */
export function differences(recorded, found, path = "") {
  if ([recorded, found].some((value) => typeof value === "string" && /<[^<>]+>/.test(value))) return [];
  if (isObject(recorded) && isObject(found) && Array.isArray(recorded) === Array.isArray(found)) {
    const keys = new Set([...Object.keys(recorded), ...Object.keys(found)]);
    return [...keys].flatMap((key) => differences(recorded[key], found[key], `${path}.${key}`));
  }
  if (JSON.stringify(recorded) === JSON.stringify(found)) return [];
  return [`${path || "result"}: recorded ${JSON.stringify(recorded)}, now ${JSON.stringify(found)}`];
}
