// The workflow of the cases: `params.kind` says what a run does. In Python: tests/contract/python/flow.py.
import { WorkflowEntrypoint } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";

const attempts = {};
const NO_RETRY = { retries: { limit: 0, delay: 1 } };

const caught = async (promise) => {
  try {
    return { ok: await promise };
  } catch (error) {
    return { name: error?.name, message: error?.message, type: typeof error };
  }
};
const raise = (error) => {
  throw error;
};
const named = (name, message) => Object.assign(new Error(message), { name });
const VALUES = {
  map: () => new Map([["a", 1]]),
  set: () => new Set([1]),
  bytes: () => new Uint8Array([1, 2]),
  buffer: () => new Uint8Array([1, 2]).buffer,
  date: () => new Date(0),
  nan: () => NaN,
  nothing: () => undefined,
  null: () => null,
  nested: () => ({ a: [1, { b: new Date(0) }], u: undefined }),
  error: () => new TypeError("as a value"),
  regexp: () => /a/g,
  text: () => "t",
};
const ERRORS = {
  type: () => new TypeError("t"),
  named: () => named("MyError", "m"),
  empty: () => new Error(),
  nonretryable: () => new NonRetryableError("stop now"),
  nonretryable_named: () => new NonRetryableError("stop now", "Other"),
  nonretryable_empty: () => new NonRetryableError(""),
  string: () => "just a text",
  object: () => ({ a: 1 }),
  null: () => null,
  number: () => 5,
};

const KINDS = {
  retry: (step, p, id) =>
    step.do("r", { retries: { limit: 2, delay: 10, ...p.retries } }, async () => {
      attempts[id] = (attempts[id] ?? 0) + 1;
      if (attempts[id] < (p.succeedAt ?? 3)) throw new Error(`try ${attempts[id]}`);
      return `ok after ${attempts[id]}`;
    }),
  fail: (step, p) => step.do("f", p.config ?? NO_RETRY, async () => raise(ERRORS[p.error]())),
  failCaught: (step, p) => caught(step.do("f", p.config ?? NO_RETRY, async () => raise(ERRORS[p.error]()))),
  runThrows: (_step, p) => raise(ERRORS[p.error]()),
  runReturns: (_step, p) => VALUES[p.value](),
  value: async (step, p) => {
    const value = await step.do("v", async () => VALUES[p.value]());
    return { type: typeof value, class: value?.constructor?.name, value };
  },
  large: async (step, p) => caught(step.do("large", NO_RETRY, async () => "x".repeat(p.size)).then((text) => text.length)),
  stream: async (step, p) => {
    const stream = await step.do("s", NO_RETRY, async () => new Response(p.text).body);
    return { class: stream?.constructor?.name, text: await new Response(stream).text() };
  },
  config: (step, p) => caught(step.do(p.name ?? "c", p.config, async () => "ran")),
  noCallback: (step) => caught(step.do("c", {})),
  name: (step, p) => caught(step.do(p.name, async () => "ran")),
  nameOf: (step, p) => caught(step.do("x".repeat(p.length), async () => "ran")),
  context: async (step, p) => [
    await step.do("same", async (ctx) => ctx),
    await step.do("same", p.config ?? {}, async (ctx) => ctx),
  ],
  sleep: (step, p) => caught(step.sleep("nap", p.duration)),
  sleepUntil: (step, p) => caught(step.sleepUntil("until", p.when === "future" ? Date.now() + 50 : p.when)),
  sleepUntilDate: (step, p) => caught(step.sleepUntil("until", new Date(p.when))),
  wait: async (step, p) => {
    const event = await caught(step.waitForEvent("w", p.options ?? { type: "go", timeout: "10 seconds" }));
    if (!event.ok) return event;
    const { payload, type, timestamp } = event.ok;
    return { payload, type, timestamp: timestamp?.constructor?.name, keys: Object.keys(event.ok).sort() };
  },
  waitFails: (step, p) => step.waitForEvent("w", p.options),
  waitTwice: async (step) => [
    (await step.waitForEvent("w", { type: "go" })).payload,
    (await step.waitForEvent("w", { type: "go" })).payload,
  ],
  sleepThenWait: async (step) => {
    await step.sleep("first", 300);
    return (await step.waitForEvent("w", { type: "go" })).payload;
  },
  slow: (step, p) =>
    step.do("slow", async () => {
      await scheduler.wait(p.ms);
      return "slept";
    }),
  slowTwice: async (step, p) => {
    const one = await step.do("one", async () => scheduler.wait(p.ms).then(() => 1));
    const two = await step.do("two", async () => scheduler.wait(p.ms).then(() => 2));
    return [one, two];
  },
  timeout: (step, p) =>
    caught(
      step.do("t", { timeout: p.timeout ?? 50, ...NO_RETRY }, async () => scheduler.wait(p.ms ?? 1000).then(() => "late")),
    ),
  nested: (step) => step.do("outer", async () => step.do("inner", async () => 1).then((value) => value + 1)),
  race: (step) => Promise.race([step.do("quick", async () => "q"), step.sleep("long", "1 hour")]),
  count: async (step, p) => {
    let total = 0;
    for (let index = 0; index < p.steps; index++) total += await step.do("one", async () => 1);
    return total;
  },
};

export class Flow extends WorkflowEntrypoint {
  async run(event, step) {
    const params = event.payload ?? {};
    const kind = KINDS[params.kind];
    if (kind) return await kind(step, params, event.instanceId);
    return {
      payload: event.payload,
      id: typeof event.instanceId,
      timestamp: event.timestamp instanceof Date,
      keys: Object.keys(event).sort(),
    };
  }
}
