// The runtime's figures: Prometheus text from /cdn-cgi/metrics, and what follows from two readings of it.

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Parse Prometheus text; returns `[{name, labels, value}]`. */
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(LABEL)) labels[name] = value.replace(/\\(.)/g, unescape);
    samples.push({ name: found[1], labels, value: found[3] === "+Inf" ? Infinity : Number(found[3]) });
  }
  return samples;
}

const unescape = (_, character) => (character === "n" ? "\n" : character);

/**
 * One reading, by worker and by edge between workers.
 * @typedef {{calls: number, errors: number, sumS: number, buckets: Map<number, number>}} Calls times in seconds
 */
export class Reading {
  constructor(samples, atMs) {
    this.atMs = atMs;
    this.workers = new Map();
    this.edges = new Map();
    this.residentBytes = NaN;
    for (const sample of samples) this.#take(sample);
  }

  #take({ name, labels, value }) {
    if (name === "pyworkers_process_resident_bytes") this.residentBytes = value;
    else if (name.startsWith("pyworkers_service_calls_")) {
      const key = `${labels.worker} ${labels.binding} ${labels.kind}`;
      const edge = getOr(this.edges, key, () => ({ ...labels, calls: newCalls() }));
      addTo(edge.calls, name.slice("pyworkers_service_calls_".length), labels, value);
    } else if (name.startsWith("pyworkers_events_")) {
      const kinds = this.worker(labels.worker).kinds;
      addTo(getOr(kinds, labels.kind, newCalls), name.slice("pyworkers_events_".length), labels, value);
    } else if (name.startsWith("pyworkers_worker_")) {
      this.worker(labels.worker)[name.slice("pyworkers_worker_".length)] = value;
    }
  }

  /** Return a worker's figures; `kinds` maps fetch, rpc, queue ... to calls. */
  worker(name) {
    return getOr(this.workers, name, () => ({ name, kinds: new Map() }));
  }

  /** Return a worker's calls of all kinds, or of one. */
  calls(worker, kind = null) {
    const total = newCalls();
    for (const [name, calls] of this.workers.get(worker)?.kinds ?? []) {
      if (kind === null || kind === name) merge(total, calls, 1);
    }
    return total;
  }
}

/** Return what happened between two readings of the same calls. */
export function since(now, before) {
  const change = merge(merge(newCalls(), now, 1), before ?? newCalls(), -1);
  return change.calls < 0 ? now : change; // the server was started anew
}

/** Return the duration in seconds that a share of the calls stayed under, interpolated inside its bucket; null: no calls. */
export function quantile(calls, share) {
  const total = calls.buckets.get(Infinity) ?? 0;
  if (!total) return null;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of [...calls.buckets].sort(([a], [b]) => a - b)) {
    if (count >= share * total) {
      if (bound === Infinity) return lower;
      return lower + (bound - lower) * ((share * total - below) / Math.max(count - below, 1));
    }
    lower = bound;
    below = count;
  }
  return lower;
}

/** Return the mean in seconds, or null. */
export const mean = (calls) => (calls.calls ? calls.sumS / calls.calls : null);

/** Return the number of calls in each bucket: `[{upToS, count}]`. */
export function histogram(calls) {
  let below = 0;
  return [...calls.buckets].sort(([a], [b]) => a - b).map(([upToS, count]) => {
    const own = count - below;
    below = count;
    return { upToS, count: own };
  });
}

export const newCalls = () => ({ calls: 0, errors: 0, sumS: 0, buckets: new Map() });

/** Add calls to others, or with a factor of -1 take them away. */
export function merge(into, calls, factor) {
  into.calls += factor * calls.calls;
  into.errors += factor * calls.errors;
  into.sumS += factor * calls.sumS;
  for (const [bound, count] of calls.buckets) into.buckets.set(bound, (into.buckets.get(bound) ?? 0) + factor * count);
  return into;
}

function addTo(calls, name, labels, value) {
  if (name === "total") calls.calls = value;
  else if (name === "errors_total") calls.errors = value;
  else if (name === "duration_seconds_sum") calls.sumS = value;
  else if (name === "duration_seconds_bucket") calls.buckets.set(labels.le === "+Inf" ? Infinity : Number(labels.le), value);
}

function getOr(map, key, make) {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
}
