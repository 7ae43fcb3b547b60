import { initializeEdgeAI } from "inference-ui-ai-engine/dist/edge.js";
import { key, run, url } from "./harness.mjs";

const engine = () => initializeEdgeAI({ endpoint: url, apiKey: key });

run({
  sentiment: () => engine().execute({ type: "sentiment_analysis", input: "I love this." }),
  intent: () => engine().execute({ type: "intent_detection", input: { element: "button", label: "Search" } }),
  autocomplete: () => engine().execute({ type: "autocomplete", input: { prefix: "wor" } }),
  accessibility: () => engine().execute({ type: "accessibility_check", input: { component: "button", label: "" } }),
  validation: () => engine().execute({ type: "form_validation", input: { email: "nobody" } }),
});
