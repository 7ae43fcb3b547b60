import { EventQueue } from "inference-ui-events/dist/queue.js";
import { run, url } from "./harness.mjs";

const answers = [];
const send = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const response = await send(...request);
  answers.push(await response.clone().json());
  return response;
};
console.log = () => {}; // the client's; the result has the line to itself

const event = (number) => ({
  id: `${Date.now()}-${process.pid}-${number}`,
  timestamp: Date.now(),
  sessionId: `session-${process.pid}`,
  event: "button_press",
  properties: { component: "Checkout", button: "buy" },
});

run({
  async queue() {
    const queue = new EventQueue({ endpoint: `${url}/events`, batchSize: 5000, batchInterval: 20_000 });
    const events = Array.from({ length: 1000 }, (_, index) => event(index));
    for (const one of events) await queue.add(one);
    await queue.flush();
    const sizeAfter = await queue.size();
    for (const one of events.slice(0, 3)) await queue.add(one); // as after an answer that got lost
    await queue.flush();
    return { sizeAfter, answers: answers.map(({ processed, errors, duplicates }) => ({ processed, errors, duplicates })) };
  },
});
