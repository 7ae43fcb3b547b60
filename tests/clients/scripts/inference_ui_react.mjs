import { renderHook } from "./render.mjs";
import { createElement } from "react";
import { AIInput, ChatInterface, InferenceUIProvider, useChat, useCompletion, useObject } from "inference-ui-react";
import { createRoot } from "react-dom/client";
import { z } from "zod";
import { key, run, until, url } from "./harness.mjs";

const provider = (config) => (child) => createElement(InferenceUIProvider, { config: { apiUrl: url, ...config } }, child);
// Each token is drawn for itself, as slow as they may come.
const SLOWLY = { experimental_throttle: 5 };
const textOf = (message) => (message?.parts ?? []).map((part) => part.text ?? "").join("");
const lastText = ({ messages }) => (messages.at(-1)?.role === "assistant" ? textOf(messages.at(-1)) : "");

async function chat(config, settings = {}) {
  const errors = [];
  const onError = (error) => {
    console.error(error); // seen where the case fails
    errors.push(error.message);
  };
  const hook = await renderHook(() => useChat({ id: "chat-1", onError, ...settings }), {
    show: lastText,
    wrap: provider(config),
  });
  return { hook, errors };
}

function told({ hook, errors }) {
  const { messages, status } = hook.current();
  return {
    roles: messages.map((message) => message.role),
    parts: messages.at(-1).parts,
    shown: hook.text(),
    renderings: hook.seen.length,
    grows: hook.seen.every((text, index) => !index || text.startsWith(hook.seen[index - 1])),
    status,
    errors,
  };
}

run({
  async chat() {
    const rendered = await chat({ apiKey: key, ...SLOWLY });
    await rendered.hook.current().append({ role: "user", content: "Say hello." });
    await until(() => rendered.hook.current().status === "ready", "the answer");
    await rendered.hook.current().append({ role: "user", content: "And again: é, 漢字, 🙂." });
    await until(() => rendered.hook.current().messages.length === 4 && rendered.hook.current().status === "ready", "the second answer");
    return told(rendered);
  },
  async chatAnonymous() {
    const rendered = await chat({ ...SLOWLY, headers: { "X-Company-Id": "acme" } });
    await rendered.hook.current().append({ role: "user", content: "Say hello." });
    await until(() => rendered.hook.current().status === "ready", "the answer");
    return told(rendered);
  },
  async chatStopped() {
    const rendered = await chat({ apiKey: key }, { experimental_throttle: 20 });
    const { hook } = rendered;
    hook.current().append({ role: "user", content: "Talk for long." });
    await until(() => hook.text(), "the first token");
    hook.current().stop();
    const text = hook.text();
    await until(() => !hook.current().isLoading, "the end");
    return { ...told(rendered), wasCut: hook.text().startsWith(text) };
  },
  async chatRefused() {
    const rendered = await chat({ apiKey: key }, { body: { temperature: 99 } });
    rendered.hook.current().append({ role: "user", content: "Say hello." }).catch(() => {});
    await until(() => rendered.errors.length, "the error");
    return { errors: rendered.errors.slice(0, 1), status: rendered.hook.current().status };
  },
  async completion() {
    const hook = await renderHook(() => useCompletion({}), { show: ({ completion }) => completion, wrap: provider({ apiKey: key, ...SLOWLY }) });
    const returned = await hook.current().complete("Say hello.");
    await until(() => hook.current().status === "ready", "the answer");
    return { returned, shown: hook.text(), renderings: hook.seen.length };
  },
  async object() {
    const schema = z.object({
      name: z.string().max(12),
      size: z.enum(["small", "large"]),
      isNew: z.boolean(),
      tags: z.array(z.string().max(6)).max(2),
      inner: z.object({ count: z.number().int().min(0).max(9) }),
    });
    schema.safeParse({ inner: {} }); // zod then sends what nested objects contain
    const hook = await renderHook(() => useObject({ schema }), { show: ({ object }) => JSON.stringify(object), wrap: provider({ apiKey: key, ...SLOWLY }) });
    await hook.current().submit("Describe a parcel.");
    await until(() => hook.current().status === "ready", "the object");
    const { object, error } = hook.current();
    return { object, isValid: schema.safeParse(object).success, error: error?.message ?? null, renderings: hook.seen.length };
  },
  async components() {
    const host = document.createElement("div");
    document.body.append(host);
    createRoot(host).render(provider({ apiKey: key, ...SLOWLY })(createElement("main", {}, createElement(ChatInterface), createElement(AIInput))));
    await until(() => host.querySelector("input, textarea"), "the components");
    return { inputs: host.querySelectorAll("input, textarea").length, hasText: host.textContent.length > 0 };
  },
});
