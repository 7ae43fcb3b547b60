import { renderHook } from "./render.mjs";
import * as four from "ai-sdk-4-react";
import { DefaultChatTransport } from "ai-sdk-5";
import * as five from "ai-sdk-5-react";
import { key, run, until, url } from "./harness.mjs";

const headers = { authorization: `Bearer ${key}` };
const textOf = (message) => message?.content ?? (message?.parts ?? []).map((part) => part.text ?? "").join("");
const lastText = ({ messages }) => (messages.at(-1)?.role === "assistant" ? textOf(messages.at(-1)) : "");

async function chatFour(streamProtocol, protocol) {
  const errors = [];
  const finished = [];
  const options = {
    id: `four-${protocol}`,
    api: `${url}/stream/chat?protocol=${protocol}`,
    streamProtocol,
    headers,
    onError: (error) => errors.push(error.message),
    onFinish: (_message, { usage, finishReason }) => finished.push({ finishReason, hasUsage: usage.completionTokens > 0 }),
  };
  const hook = await renderHook(() => four.useChat(options), { show: lastText });
  await hook.current().append({ role: "user", content: "Say hello." });
  await hook.current().append({ role: "user", content: "And again." });
  await until(() => hook.current().status === "ready" || errors.length, "the answer");
  return { roles: hook.current().messages.map((message) => message.role), hasText: hook.text().length > 0, finished, errors };
}

run({
  chatFour: () => chatFour("data", "data-v1"),
  chatFourAsText: () => chatFour("text", "text"),
  async completionFour() {
    const errors = [];
    const api = `${url}/stream/completion?protocol=data-v1`;
    const hook = await renderHook(() => four.useCompletion({ api, headers, onError: (error) => errors.push(error.message) }), {
      show: ({ completion }) => completion,
    });
    const returned = await hook.current().complete("Say hello.");
    await until(() => !hook.current().isLoading, "the completion");
    return { hasText: returned.length > 0, isShown: hook.text() === returned, errors };
  },
  async chatFive() {
    const errors = [];
    const transport = new DefaultChatTransport({ api: `${url}/stream/chat?protocol=ui-message`, headers });
    const hook = await renderHook(() => five.useChat({ id: "five", transport, onError: (error) => errors.push(error.message) }), { show: lastText });
    await hook.current().sendMessage({ text: "Say hello." });
    await hook.current().sendMessage({ text: "And again." });
    await until(() => hook.current().status === "ready" || errors.length, "the answer");
    return { roles: hook.current().messages.map((message) => message.role), hasText: hook.text().length > 0, errors };
  },
});
