// The dashboard: the metrics that the architecture names, from the local runtime, and what this browser measured.

import { byId, bytes, duration, h, integer, percent, setText } from "./dom.js";
import { bars, sparkline } from "./charts.js";
import { Reading, histogram, mean, merge, newCalls, parseMetrics, quantile, since } from "./metrics.js";

const EVERY_MS = 2000;
const KEPT = 31; // readings: one minute
const SPARSE = 8; // points that a chart has room for at least
const TARGET_S = 0.001; // of a call over a service binding, without the work of the worker that is called
const TARGETS = { METRICS: "analytics" }; // bindings that are not called like their worker
const AWAY =
  "The runtime's own figures are shown where the workers run locally, under pyworkers dev. For deployed workers, Cloudflare " +
  "shows them under Workers → your worker → Metrics and Service bindings. What this browser measures is below.";

export class Dashboard {
  constructor() {
    this.readings = [];
    this.history = { overhead: [], cpu: [], errors: [], firstByte: [], memory: [] };
    this.chats = [];
    this.isAway = false;
    this.tiles = byId("tiles");
    this.panels = byId("panels");
    this.parts = new Map();
    this.#tick();
    this.#showBrowser();
  }

  /** Count an answer of the chat. */
  measured(figures) {
    this.chats.push(figures);
    this.#showBrowser();
  }

  async #tick() {
    if (!document.hidden || !this.readings.length) await this.#read();
    if (!this.isAway) setTimeout(() => this.#tick(), EVERY_MS);
  }

  async #read() {
    let response;
    try {
      response = await fetch("/cdn-cgi/metrics", { cache: "no-store" });
    } catch {
      this.#setLive("lost", "The server does not answer");
      return;
    }
    const isRuntime = response.ok && response.headers.get("content-type")?.startsWith("text/plain");
    const text = isRuntime ? await response.text() : "";
    if (!text.includes("pyworkers_")) {
      this.#leave();
      return;
    }
    const reading = new Reading(parseMetrics(text), Date.now());
    if (this.readings.length && restarted(this.readings.at(-1), reading)) this.readings = [];
    this.readings = [...this.readings.slice(1 - KEPT), reading];
    byId("foot-metrics").hidden = false;
    this.#setLive("live", "Live");
    this.#show(reading);
  }

  #leave() {
    this.isAway = true;
    this.tiles.hidden = true;
    setText(byId("metrics-away"), AWAY);
    byId("metrics-away").hidden = false;
    byId("live").hidden = true;
    setText(byId("dashboard-sub"), "Measured in this browser");
  }

  #setLive(state, text) {
    byId("live").dataset.state = state;
    setText(byId("live-text"), text);
  }

  #show(now) {
    const previous = this.readings.at(-2) ?? null;
    const first = this.readings[0];
    const targets = [...new Set([...now.edges.values()].map((edge) => workerOf(edge.binding, now)).filter(Boolean))];
    this.#remember(now, previous, targets);
    this.#showTiles(now, first, targets);
    this.#panel("bindings", "Service bindings", "Calls between the workers, since the server started", bindingsTable(now));
    this.#panel("streaming", "Streaming response times", "Until the streaming worker's first byte, since the server started", streamingChart(now, targets));
    this.#panel("workers", "Workers", "Each with its own code, memory and CPU time", workersTable(now, first));
  }

  #remember(now, previous, targets) {
    const seconds = previous ? (now.atMs - previous.atMs) / 1000 : 0;
    const all = total(now, previous);
    const values = {
      overhead: overheadOf(now, previous, targets),
      cpu: previous ? (cpuOf(now) - cpuOf(previous)) / seconds : null,
      errors: all.calls ? all.errors / all.calls : null,
      firstByte: quantile(streamingCalls(now, previous, targets), 0.5),
      memory: now.residentBytes,
    };
    for (const [name, value] of Object.entries(values)) {
      this.history[name] = [...this.history[name].slice(1 - KEPT), Number.isFinite(value) ? value : null];
    }
  }

  #showTiles(now, first, targets) {
    const [overhead, overheadWhen] = recentOr((before) => overheadOf(now, before, targets), first);
    const [firstByte, firstByteWhen] = recentOr((before) => quantile(streamingCalls(now, before, targets), 0.5), first);
    const all = total(now, null);
    const recent = total(now, first);
    const seconds = Math.max((now.atMs - first.atMs) / 1000, 1);
    const cpu = this.readings.length > 1 ? (cpuOf(now) - cpuOf(first)) / seconds : null;
    const workers = [...now.workers.values()];
    const starts = sum(workers.map((worker) => worker.cold_starts_total ?? 0));
    const slowest = Math.max(...workers.map((worker) => worker.cold_start_seconds ?? 0));
    const state = overhead === null ? "none" : overhead < TARGET_S ? "good" : "bad";
    const errorRate = recent.calls ? recent.errors / recent.calls : 0;
    this.#tile("overhead", "Binding latency", duration(overhead), `added to a call, mean ${overheadWhen}; target < 1 ms`, state);
    this.#tile("firstByte", "Stream, first byte", duration(firstByte), `median ${firstByteWhen}`);
    this.#tile("errors", "Errors", percent(errorRate), `of events in the last minute; ${integer(all.errors)} of ${integer(all.calls)} since the start`, recent.errors ? "bad" : "good");
    this.#tile("cpu", "CPU", cpu === null ? "–" : percent(cpu), "of one core, the last minute");
    this.#tile("memory", "Memory", bytes(now.residentBytes), `the server; ${bytes(sum(workers.map((worker) => worker.memory_bytes ?? 0)))} of it the workers' code`);
    this.#tile("cold", "Cold starts", integer(starts), `of ${workers.length} workers; slowest ${duration(slowest)}`);
  }

  #tile(name, title, value, note, state = "none") {
    if (!this.parts.has(name)) {
      const parts = { value: h("p", { class: "value" }), note: h("p", { class: "note" }), chart: h("div", { class: "chart" }) };
      parts.element = h("article", { class: "tile" }, h("h3", {}, title), parts.value, parts.chart, parts.note);
      this.parts.set(name, parts);
      this.tiles.append(parts.element);
    }
    const parts = this.parts.get(name);
    parts.element.dataset.state = state;
    setText(parts.value, value);
    setText(parts.note, note);
    const values = this.history[name];
    if (values) parts.chart.replaceChildren(sparkline(values, { label: `${title}, the last minute`, points: Math.max(values.length, SPARSE) }));
  }

  #panel(name, title, note, content) {
    if (!this.parts.has(name)) {
      const body = h("div", { class: "body" });
      this.parts.set(name, { body });
      this.panels.append(h("section", { class: "card panel", id: `panel-${name}`, "aria-label": title }, h("h3", {}, title), h("p", { class: "sub" }, note), body));
    }
    this.parts.get(name).body.replaceChildren(content);
  }

  #showBrowser() {
    const sorted = (name) => this.chats.map((chat) => chat[name]).sort((a, b) => a - b);
    const firsts = sorted("firstTokenS");
    const totals = sorted("totalS");
    const rows = [
      ["Answers", integer(this.chats.length)],
      ["First token, median", duration(middle(firsts))],
      ["First token, slowest", duration(firsts.at(-1))],
      ["Whole answer, median", duration(middle(totals))],
      ["Tokens", integer(sum(this.chats.map((chat) => chat.tokens)))],
    ];
    const list = h("dl", { class: "figures" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    this.#panel("browser", "Measured in this browser", "The chat above, from sending a message to seeing its answer", list);
  }
}

// ---- figures of readings ----

const sum = (values) => values.reduce((before, value) => before + value, 0);
const middle = (sorted) => (sorted.length ? sorted[Math.floor(sorted.length / 2)] : null);
const cpuOf = (reading) => sum([...reading.workers.values()].map((worker) => worker.cpu_seconds_total ?? 0));

/** All events of all workers between two readings. */
function total(now, before) {
  const all = newCalls();
  for (const name of now.workers.keys()) merge(all, since(now.calls(name), before?.calls(name)), 1);
  return all;
}

/** Return a figure of the last minute, or of the time since the start where nothing happened in that minute. */
function recentOr(figure, first) {
  const recent = figure(first);
  return recent === null ? [figure(null), "since the start"] : [recent, "in the last minute"];
}

/** Return the worker behind a binding: of those that the workers' configurations name, or the one of the same name. */
function workerOf(binding, reading) {
  const wanted = [TARGETS[binding], ...binding.toLowerCase().split(/[_-]/)];
  return [...reading.workers.keys()].find((name) => wanted.includes(name.split("-").at(-1))) ?? null;
}

/**
 * Return what a call over a binding takes beyond the time of the worker that is called, the mean in seconds; null: no calls.
 * A worker that also has events from elsewhere cannot be told apart and is left out.
 */
function overheadOf(now, before, targets) {
  let calls = 0;
  let seconds = 0;
  for (const target of targets) {
    for (const kind of ["fetch", "rpc"]) {
      const outside = newCalls();
      for (const [key, edge] of now.edges) {
        if (edge.kind === kind && workerOf(edge.binding, now) === target) merge(outside, since(edge.calls, before?.edges.get(key)?.calls), 1);
      }
      const inside = since(now.calls(target, kind), before?.calls(target, kind));
      if (!outside.calls || outside.calls !== inside.calls) continue;
      calls += outside.calls;
      seconds += Math.max(outside.sumS - inside.sumS, 0);
    }
  }
  return calls ? seconds / calls : null;
}

function streamingCalls(now, before, targets) {
  const name = targets.find((target) => target.endsWith("streaming"));
  return name ? since(now.calls(name, "fetch"), before?.calls(name, "fetch")) : newCalls();
}

/** Whether the server was started anew between two readings. */
function restarted(before, now) {
  return [...before.workers.keys()].some((name) => now.calls(name).calls < before.calls(name).calls);
}

// ---- tables ----

function bindingsTable(now) {
  const rows = [...now.edges.values()].map((edge) => [
    `${short(edge.worker)} → ${short(workerOf(edge.binding, now) ?? edge.binding)}`,
    h("code", {}, edge.binding, " ", edge.kind),
    integer(edge.calls.calls),
    duration(quantile(edge.calls, 0.5)),
    duration(quantile(edge.calls, 0.99)),
    edge.calls.errors ? h("strong", { class: "bad" }, integer(edge.calls.errors)) : "0",
  ]);
  if (!rows.length) return h("p", { class: "none" }, "No worker has called another yet. Send a message in the chat.");
  return table("Service bindings", ["Call", "Binding", "Calls", "Median", "p99", "Errors"], rows);
}

function workersTable(now, first) {
  const seconds = Math.max((now.atMs - first.atMs) / 1000, 1);
  const rows = [...now.workers.values()].map((worker) => {
    const calls = now.calls(worker.name);
    const recent = since(calls, first.calls(worker.name));
    const cpu = worker.cpu_seconds_total ?? 0;
    return [
      short(worker.name),
      integer(calls.calls),
      `${(recent.calls / seconds).toFixed(1)}/s`,
      duration(quantile(calls, 0.5)),
      duration(quantile(calls, 0.99)),
      percent(calls.calls ? calls.errors / calls.calls : 0),
      duration(calls.calls ? cpu / calls.calls : null),
      bytes(worker.memory_bytes ?? NaN),
      `${integer(worker.cold_starts_total ?? 0)} (${duration(worker.cold_start_seconds)})`,
    ];
  });
  return table("Workers", ["Worker", "Events", "Now", "Median", "p99", "Errors", "CPU an event", "Memory", "Cold starts"], rows);
}

function streamingChart(now, targets) {
  const calls = streamingCalls(now, null, targets);
  if (!calls.calls) return h("p", { class: "none" }, "Nothing has been streamed yet.");
  const [median, high] = [quantile(calls, 0.5), quantile(calls, 0.99)];
  const text = `${integer(calls.calls)} answers: median ${duration(median)}, 99 % under ${duration(high)}, mean ${duration(mean(calls))}`;
  return h("figure", {}, bars(histogram(calls), `Distribution of ${text}`), h("figcaption", {}, text));
}

const short = (name) => (name ? name.replace(/^inference-ui-/, "") : "outside");

function table(caption, heads, rows) {
  const cells = (row) => row.map((cell, index) => h(index ? "td" : "th", { scope: index ? null : "row", "data-label": heads[index] }, cell));
  return h(
    "table",
    {},
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
  );
}
