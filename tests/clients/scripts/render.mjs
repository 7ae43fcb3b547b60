import "./dom.mjs";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { until } from "./harness.mjs";

/**
 * Render a component that uses a hook and shows its text; returns `current()`, what the hook returned last,
 * `text()`, what the document shows, and `seen`, every different text that it has shown.
 */
export async function renderHook(useHook, { show, wrap = (child) => child }) {
  let latest;
  const seen = [];
  function Component() {
    latest = useHook();
    const text = show(latest);
    if (text && text !== seen.at(-1)) seen.push(text);
    return createElement("output", {}, text);
  }
  const host = document.createElement("div");
  document.body.append(host);
  const root = createRoot(host);
  root.render(wrap(createElement(Component)));
  await until(() => latest !== undefined, "the first rendering");
  return { current: () => latest, text: () => host.textContent, seen, unmount: () => root.unmount() };
}
