// Events: what happens on this page goes to POST /events in batches; the list shows what became of each.

import { apiKey, onKeyChange, post } from "./api.js";
import { byId, duration, h, integer, setText, timeOfDay } from "./dom.js";

const BATCH_MS = 400;
const BATCH_SIZE = 100;
const SHOWN = 60;
const RETRY_MS = 3000;
const BURST = 25;
const STATES = { queued: "queued", sending: "sending", stored: "stored", refused: "refused", tenant: "tenant" };

export class Events {
  constructor() {
    this.sessionId = crypto.randomUUID();
    this.queue = [];
    this.rows = new Map();
    this.counts = { sent: 0, stored: 0, refused: 0 };
    this.isPaused = false;
    this.timer = null;
    this.isSending = false;
    this.list = byId("event-list");
    this.#listen();
  }

  #listen() {
    byId("tracker").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = byId("event-name").value.trim();
      if (name) this.track(name, { component: "Tracker" });
    });
    byId("burst").addEventListener("click", () => {
      const name = byId("event-name").value.trim() || "button_press";
      for (let index = 1; index <= BURST; index += 1) this.track(name, { component: "Tracker", index });
    });
    byId("events-pause").addEventListener("click", (event) => {
      this.isPaused = !this.isPaused;
      event.currentTarget.setAttribute("aria-pressed", String(this.isPaused));
      setText(event.currentTarget, this.isPaused ? "Resume" : "Pause");
      if (!this.isPaused) this.#plan(0);
    });
    addEventListener("pagehide", () => this.#sendLast());
    onKeyChange(() => {
      this.rows.clear();
      this.list.replaceChildren();
    });
  }

  /** Queue an event; it is sent with others that come at about the same time. */
  track(event, properties = {}) {
    const item = { id: crypto.randomUUID(), event, properties, sessionId: this.sessionId, timestamp: Date.now() };
    this.queue.push(item);
    this.#row({ ...item, component: properties.component }, STATES.queued);
    this.#plan(BATCH_MS);
  }

  #plan(delayMs) {
    if (this.timer !== null || this.isPaused || this.isSending || !this.queue.length) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.#send();
    }, delayMs);
  }

  async #send() {
    const batch = this.queue.splice(0, BATCH_SIZE);
    if (!batch.length) return;
    this.isSending = true;
    for (const item of batch) this.#setState(item.id, STATES.sending);
    const started = performance.now();
    let delayMs = 0;
    try {
      const response = await post("/events", { events: batch });
      this.#settle(batch, await response.json(), performance.now() - started);
    } catch (error) {
      delayMs = this.#failed(batch, error);
    }
    this.isSending = false;
    this.#plan(delayMs);
  }

  #settle(batch, answer, tookMs) {
    const refused = new Map((answer.failures ?? []).map((failure) => [batch[failure.index]?.id, failure.message]));
    for (const { id } of batch) {
      if (refused.has(id)) this.#setState(id, STATES.refused, refused.get(id));
      else this.#setState(id, STATES.stored);
    }
    this.#count(batch.length, batch.length - refused.size, refused.size);
    setText(byId("count-latency"), `${batch.length} in ${duration(tookMs / 1000)}`);
  }

  /** Returns how long to wait. What could not be sent is sent again, with the same ids: the server stores each once. */
  #failed(batch, error) {
    const isTemporary = error.status === 0 || error.status === 429 || error.status >= 500;
    for (const { id } of batch) this.#setState(id, isTemporary ? STATES.queued : STATES.refused, error.message);
    if (isTemporary) this.queue.unshift(...batch);
    else this.#count(batch.length, 0, batch.length);
    setText(byId("count-latency"), error.message);
    return isTemporary ? (error.retryAfterS ?? RETRY_MS / 1000) * 1000 : 0;
  }

  #count(sent, stored, refused) {
    this.counts.sent += sent;
    this.counts.stored += stored;
    this.counts.refused += refused;
    for (const [name, value] of Object.entries(this.counts)) setText(byId(`count-${name}`), integer(value));
  }

  #sendLast() {
    if (!this.queue.length || this.isPaused) return;
    const headers = { "content-type": "application/json", ...(apiKey() ? { authorization: `Bearer ${apiKey()}` } : {}) };
    fetch("/events", { method: "POST", keepalive: true, headers, body: JSON.stringify(this.queue.splice(0, BATCH_SIZE)) });
  }

  /** Show an event that came from elsewhere, unless it is there already. */
  seen(event) {
    if (!this.isPaused && !this.rows.has(event.id)) this.#row(event, STATES.tenant);
  }

  #row(event, state) {
    const badge = h("span", { class: "badge" });
    const time = h("time", { datetime: new Date(event.timestamp).toISOString() }, timeOfDay(event.timestamp));
    const name = h("span", { class: "name" }, event.event);
    const detail = h("span", { class: "detail" }, event.component ?? event.userId ?? "");
    const element = h("li", {}, time, name, detail, badge);
    this.rows.set(event.id, { element, badge });
    this.#setState(event.id, state);
    this.list.prepend(element);
    while (this.list.childElementCount > SHOWN) this.list.lastElementChild.remove();
    if (this.rows.size > SHOWN * 4) this.#forget();
  }

  #forget() {
    for (const [id, { element }] of this.rows) {
      if (this.rows.size <= SHOWN * 2) return;
      if (!element.isConnected) this.rows.delete(id);
    }
  }

  #setState(id, state, why = "") {
    const row = this.rows.get(id);
    if (!row) return;
    row.element.dataset.state = state;
    setText(row.badge, state);
    row.badge.title = why;
  }
}
