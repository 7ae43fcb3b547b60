// What happens in the key's tenant: snapshots of GET /live, which the analytics worker makes, for as long as there is a key.

import { apiKey, getStream, graphql, onKeyChange } from "./api.js";
import { integer } from "./dom.js";
import { readFrames } from "./sse.js";

const AGAIN_MS = 2000;
const USAGE_MS = 5000;
const REFUSED = [401, 403]; // another try would not help
const USAGE = "{ usageMetrics { eventsThisMonth eventsLimit aiRequestsThisMonth aiRequestsLimit } }";

export class Live {
  /**
   * @param seen called with each event, the oldest first, again and again with the same ones.
   * @param told called with a line of figures; null without a key.
   */
  constructor({ seen, told }) {
    this.seen = seen;
    this.told = told;
    this.running = null;
    this.usage = { line: "", atMs: 0 };
    onKeyChange(() => this.start());
    this.start();
  }

  /** Follow the tenant of the current key; stop following any other. */
  async start() {
    this.running?.abort();
    this.usage = { line: "", atMs: 0 };
    if (!apiKey()) {
      this.told(null);
      return;
    }
    const abort = new AbortController();
    this.running = abort;
    while (!abort.signal.aborted) {
      try {
        await this.#follow(abort.signal);
      } catch (error) {
        if (abort.signal.aborted) return;
        this.told(`No live figures: ${error.message}`);
        if (REFUSED.includes(error.status)) return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #follow(signal) {
    const response = await getStream("/live", signal);
    for await (const snapshot of readFrames(response.body)) {
      if (signal.aborted) return;
      if (snapshot.error) throw new Error(snapshot.error);
      for (const event of [...snapshot.recentEvents].reverse()) this.seen(event);
      this.told(`${figures(snapshot)} ${await this.#usage(snapshot.timestamp)}`.trim());
    }
  }

  async #usage(nowMs) {
    if (nowMs - this.usage.atMs < USAGE_MS) return this.usage.line;
    this.usage.atMs = nowMs;
    const { usageMetrics: used } = await graphql(USAGE);
    const events = of(used.eventsThisMonth, used.eventsLimit);
    const requests = of(used.aiRequestsThisMonth, used.aiRequestsLimit);
    this.usage.line = `This month: events ${events}, AI requests ${requests}.`;
    return this.usage.line;
  }
}

function figures(snapshot) {
  const { windowMinutes, events, eventsLastMinute, activeUsers, activeSessions, errors } = snapshot;
  return (
    `Tenant, last ${windowMinutes} minutes: events ${integer(events)} (last minute ${integer(eventsLastMinute)}), ` +
    `users ${integer(activeUsers)}, sessions ${integer(activeSessions)}, errors ${integer(errors)}.`
  );
}

const of = (used, limit) => (limit < 0 ? integer(used) : `${integer(used)} of ${integer(limit)}`);
