import { renderHook } from "./render.mjs";
import { experimental_useObject as useObject, useChat, useCompletion } from "@ai-sdk/react";
import { DefaultChatTransport, TextStreamChatTransport, readUIMessageStream } from "ai";
import { z } from "zod";
import { failure, key, run, until, url } from "./harness.mjs";

const headers = { authorization: `Bearer ${key}` };
const textOf = (message) => (message?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
const lastText = ({ messages }) => (messages.at(-1)?.role === "assistant" ? textOf(messages.at(-1)) : "");

async function converse(transport) {
  const finished = [];
  const errors = [];
  const hook = await renderHook(
    () => useChat({ id: "chat-1", transport, onFinish: (event) => finished.push(event), onError: (error) => errors.push(error.message) }),
    { show: lastText },
  );
  await hook.current().sendMessage({ text: "Say hello." });
  await hook.current().sendMessage({ text: "And again." });
  await until(() => hook.current().status === "ready" || errors.length, "the answer");
  const { messages, status } = hook.current();
  return {
    roles: messages.map((message) => message.role),
    types: messages.at(-1).parts.map((part) => part.type),
    shown: hook.text(),
    isShownWhole: hook.text() === textOf(messages.at(-1)),
    renderings: hook.seen.length,
    finishReasons: finished.map((event) => event.finishReason ?? null),
    status,
    errors,
  };
}

run({
  chat: () => converse(new DefaultChatTransport({ api: `${url}/stream/chat?protocol=ui-message`, headers })),
  chatByHeader: () =>
    converse(new DefaultChatTransport({ api: `${url}/stream/chat`, headers: { ...headers, "x-vercel-ai-ui-message-stream": "v1" } })),
  chatAsText: () => converse(new TextStreamChatTransport({ api: `${url}/stream/chat?protocol=text`, headers })),
  async chunks() {
    const transport = new DefaultChatTransport({ api: `${url}/stream/chat?protocol=ui-message`, headers });
    const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: "Say hello." }] }];
    const stream = await transport.sendMessages({ chatId: "chat-1", trigger: "submit-message", messages });
    const [one, other] = stream.tee();
    const types = [];
    const reader = one.getReader();
    const reading = (async () => {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        if (part.value.type !== types.at(-1)) types.push(part.value.type);
      }
    })();
    let message;
    for await (const state of readUIMessageStream({ stream: other })) message = state;
    await reading;
    return { types, role: message.role, text: textOf(message) };
  },
  async resume() {
    const transport = new DefaultChatTransport({ api: `${url}/stream/chat`, headers });
    return await transport.reconnectToStream({ chatId: "chat-1" });
  },
  async refused() {
    const transport = new DefaultChatTransport({ api: `${url}/stream/chat?protocol=ui-message`, headers, body: { temperature: 99 } });
    const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: "Say hello." }] }];
    return await failure(() => transport.sendMessages({ chatId: "chat-1", trigger: "submit-message", messages }));
  },
  async completion() {
    const results = {};
    for (const [streamProtocol, protocol] of [["data", "ui-message"], ["text", "text"]]) {
      const errors = [];
      const api = `${url}/stream/completion?protocol=${protocol}`;
      const hook = await renderHook(() => useCompletion({ id: protocol, api, streamProtocol, headers, onError: (error) => errors.push(error.message) }), {
        show: ({ completion }) => completion,
      });
      const returned = await hook.current().complete("Say hello.");
      await until(() => !hook.current().isLoading, "the completion");
      results[streamProtocol] = { shown: hook.text(), isReturned: returned === hook.text(), errors };
      hook.unmount();
    }
    return results;
  },
  async object() {
    const schema = z.object({ name: z.string().max(12), isNew: z.boolean(), tags: z.array(z.string().max(6)).max(2) });
    const errors = [];
    const finished = [];
    const jsonSchema = {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 12 },
        isNew: { type: "boolean" },
        tags: { type: "array", items: { type: "string", maxLength: 6 }, maxItems: 2 },
      },
      required: ["name", "isNew", "tags"],
      additionalProperties: false,
    };
    const api = `${url}/stream/object?protocol=text`;
    const hook = await renderHook(() => useObject({ api, schema, headers, onError: (error) => errors.push(error.message), onFinish: (event) => finished.push(event) }), {
      show: ({ object }) => (object ? JSON.stringify(object) : ""),
    });
    hook.current().submit({ prompt: "Describe a parcel.", schema: jsonSchema });
    await until(() => finished.length || errors.length, "the object");
    return { isValid: schema.safeParse(finished[0]?.object).success, validationError: finished[0]?.error?.message ?? null, errors };
  },
});
