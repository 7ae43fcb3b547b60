// The chat: messages, the answer as its tokens come, how fast it was.

import { post } from "./api.js";
import { byId, duration, h, setText } from "./dom.js";
import { readFrames } from "./sse.js";

const NEAR_END_PX = 80;

export class Chat {
  /**
   * @param track called with a name and properties for what happens here.
   * @param measured called with `{firstTokenS, totalS, tokens}` after each answer.
   */
  constructor({ track, measured }) {
    this.track = track;
    this.measured = measured;
    this.messages = [];
    this.chatId = crypto.randomUUID();
    this.running = null;
    this.transcript = byId("transcript");
    this.empty = byId("chat-empty");
    this.prompt = byId("prompt");
    this.status = byId("chat-status");
    this.#listen();
  }

  #listen() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(this.prompt.value);
    });
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send(this.prompt.value);
    });
    this.prompt.addEventListener("input", () => this.#fit());
    byId("stop").addEventListener("click", () => this.running?.abort());
    byId("chat-clear").addEventListener("click", () => this.clear());
    byId("suggestions").addEventListener("click", (event) => {
      if (event.target instanceof HTMLButtonElement) this.send(event.target.textContent);
    });
  }

  /** Send a message and show the answer as it comes. */
  async send(text) {
    const said = text.trim();
    if (!said || this.running) return;
    this.prompt.value = "";
    this.#fit();
    this.messages.push({ id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text: said }], createdAt: new Date() });
    this.#show("user", said);
    this.track("chat_submit", { component: "Chat", characters: said.length });
    await this.#answer();
  }

  /** Start over. */
  clear() {
    this.running?.abort();
    this.messages = [];
    this.chatId = crypto.randomUUID();
    this.transcript.replaceChildren(this.empty);
    byId("chat-clear").hidden = true;
    this.prompt.focus();
  }

  async #answer() {
    const abort = new AbortController();
    const messages = this.messages;
    const bubble = this.#show("assistant", "");
    const clock = { start: performance.now(), first: null, tokens: 0 };
    this.#setRunning(abort);
    let end = null;
    try {
      const response = await post("/stream/chat", { messages, chatId: this.chatId }, { signal: abort.signal });
      bubble.cached = response.headers.get("x-inference-cache")?.toLowerCase() === "hit";
      end = await this.#read(response.body, bubble, clock);
      setText(this.status, "The answer is complete.");
    } catch (error) {
      this.#failed(error, bubble);
    } finally {
      this.#setRunning(null);
    }
    this.#finish(bubble, clock, end, messages);
  }

  /** Show a stream's tokens; returns the end frame's message. */
  async #read(body, bubble, clock) {
    let end = null;
    for await (const frame of readFrames(body)) {
      if (frame.type === "error") throw new Error(frame.error?.message ?? "The model failed.");
      if (frame.type === "message-end") end = frame.message;
      if (frame.type !== "message-part" || !frame.part?.text) continue;
      clock.first ??= performance.now();
      clock.tokens += 1;
      this.#append(bubble, frame.part.text);
    }
    return end;
  }

  #failed(error, bubble) {
    const wasStopped = error.name === "AbortError";
    bubble.note.textContent = wasStopped ? "Stopped" : "";
    if (wasStopped) return;
    const wait = error.retryAfterS ? ` Try again in ${error.retryAfterS} s.` : "";
    const message = error.message.includes("Try again") ? error.message : error.message + wait;
    const retry = h("button", { type: "button", class: "quiet" }, "Try again");
    const problem = h("p", { class: "problem", role: "alert" }, message, " ", retry);
    retry.addEventListener("click", () => {
      bubble.element.remove();
      if (!this.running) this.#answer();
    });
    bubble.element.append(problem);
    bubble.failed = true;
    this.#follow(true);
  }

  #finish(bubble, clock, end, messages) {
    bubble.element.removeAttribute("aria-busy");
    const text = bubble.text.textContent;
    if (!text && !bubble.failed && !bubble.note.textContent) bubble.note.textContent = "The model answered with nothing";
    if (!text) bubble.text.remove();
    if (text && !bubble.failed && messages === this.messages) {
      messages.push({ id: end?.id ?? crypto.randomUUID(), role: "assistant", parts: [{ type: "text", text }], createdAt: new Date() });
    }
    if (clock.first === null) return;
    const now = performance.now();
    const tokens = end?.usage?.completionTokens ?? clock.tokens;
    const figures = { firstTokenS: (clock.first - clock.start) / 1000, totalS: (now - clock.start) / 1000, tokens };
    const perSecond = (tokens - 1) / Math.max((now - clock.first) / 1000, 0.001);
    const parts = [`first token ${duration(figures.firstTokenS)}`, `${tokens} tokens`];
    if (tokens > 1 && !bubble.cached) parts.push(`${Math.round(perSecond)} tokens/s`);
    if (bubble.cached) parts.push("from the cache");
    if (bubble.note.textContent) parts.unshift(bubble.note.textContent.toLowerCase());
    bubble.note.textContent = parts.join(" · ");
    this.measured(figures);
    this.track("chat_answer", { component: "Chat", operation: "chat", duration: Math.round(figures.totalS * 1000), tokens });
    this.#follow(false);
  }

  #show(role, text) {
    const body = h("p", { class: "text" }, text);
    const note = h("p", { class: "note" });
    const who = h("span", { class: "who" }, role === "user" ? "You" : "Assistant");
    const element = h("article", { class: `message ${role}`, "aria-busy": role === "assistant" ? "true" : null }, who, body, note);
    this.empty.remove();
    byId("chat-clear").hidden = false;
    this.transcript.append(element);
    this.#follow(true);
    return { element, text: body, note, failed: false, cached: false };
  }

  #append(bubble, text) {
    const isNearEnd = this.#isNearEnd();
    bubble.text.append(text);
    if (isNearEnd) this.#follow(true);
  }

  #isNearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.transcript;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  /** Show the end of the conversation; without force only for those who have not scrolled up. */
  #follow(force) {
    if (force || this.#isNearEnd()) this.transcript.scrollTop = this.transcript.scrollHeight;
  }

  #setRunning(abort) {
    this.running = abort;
    const hadFocus = [byId("send"), byId("stop")].includes(document.activeElement);
    byId("send").hidden = abort !== null;
    byId("stop").hidden = abort === null;
    if (abort) setText(this.status, "The answer is coming.");
    if (hadFocus) this.prompt.focus();
  }

  #fit() {
    this.prompt.style.height = "auto";
    this.prompt.style.height = `${this.prompt.scrollHeight + 2}px`;
  }
}
