// Runs the steps of a case. The same language is implemented in tests/contract/interp.py.
import { makeDecoder } from "./decode.mjs";
import { encode, encodeError } from "./encode.mjs";
import { CLASSES, HELPERS } from "./names.mjs";

const HANG_AFTER_MS = 20_000;

class Returned {
  constructor(value) {
    this.value = value;
  }
}

class Thrown {
  constructor(error, isSync) {
    this.error = error;
    this.isSync = isSync;
  }
}

/** What the steps of case `number` can name: a binding `KV__7` is `KV` for case 7. */
export function buildScope(env, number, extra = {}) {
  const scope = { ...extra, env, case: number, caches, scheduler, navigator, globalThis };
  for (const [key, binding] of Object.entries(env)) {
    const [, name, owner] = /^(.*)__(\d+)$/.exec(key) ?? [null, key, String(number)];
    if (owner === String(number)) scope[name] = binding;
  }
  return scope;
}

/** Runs steps and returns each one's outcome: ok, throws, hangs or omitted. */
export async function recordSteps(steps, scope) {
  const outcomes = [];
  for (const step of steps) outcomes.push(await recordStep(step, scope));
  return outcomes;
}

/** Runs steps as a function's body: the value of a `return` step, else of the last. */
export async function runProgram(steps, scope) {
  let last;
  for (const step of steps) {
    try {
      last = await runStep(step, scope);
    } catch (thrown) {
      const error = thrown instanceof Thrown ? thrown.error : thrown;
      if (!step.catch) throw error;
      scope[step.catch] = error;
      continue;
    }
    if (last instanceof Returned) return last.value;
  }
  return last;
}

function runProgramNow(steps, scope) {
  let last;
  for (const step of steps) {
    last = evaluate(step, scope);
    if (last instanceof Returned) return last.value;
    if (step.save) scope[step.save] = last;
  }
  return last;
}

async function recordStep(step, scope) {
  const hang = Symbol("hang");
  let timer;
  const limit = new Promise((resolve) => {
    timer = setTimeout(() => resolve(hang), step.timeout ?? HANG_AFTER_MS);
  });
  try {
    let value = await Promise.race([runStep(step, scope), limit]);
    if (value === hang) return { hangs: true };
    if (value instanceof Returned) value = value.value;
    if (step.omit) return { omitted: true };
    return { ok: step.raw ? value : await encode(value) };
  } catch (thrown) {
    if (!(thrown instanceof Thrown)) return { throws: await encodeError(thrown) };
    const outcome = await encodeError(thrown.error);
    return { throws: thrown.isSync ? { ...outcome, sync: true } : outcome };
  } finally {
    clearTimeout(timer);
  }
}

async function runStep(step, scope) {
  if ("repeat" in step) {
    for (let index = 0; index < step.repeat; index++) {
      scope[step.as ?? "i"] = index;
      await runStep(step.step, scope);
    }
    return undefined;
  }
  if ("all" in step) {
    const outcomes = await Promise.allSettled(step.all.map((one) => runStep(one, scope)));
    return outcomes.map(({ status, value, reason }) =>
      status === "fulfilled" ? value : { $rejected: reason instanceof Thrown ? reason.error : reason },
    );
  }
  let isSync = true;
  try {
    let value = evaluate(step, scope);
    isSync = false;
    if (value instanceof Returned) return value;
    if (step.await !== false) value = await value;
    if (step.save) scope[step.save] = value;
    return value;
  } catch (error) {
    throw new Thrown(error, isSync);
  }
}

/** The value of a step, which may be a promise; throws at once where the platform does. */
function evaluate(step, scope) {
  const decode = makeDecoder(scope, { runProgram, runProgramNow });
  const args = () => (step.args ?? []).map(decode);
  if ("let" in step) return (scope[step.let] = decode(step.value));
  if ("throw" in step) throw decode(step.throw);
  if ("return" in step) return new Returned(decode(step.return));
  if ("fn" in step) return HELPERS[step.fn](...args());
  if ("new" in step) return new CLASSES[step.new](...args());
  if ("static" in step) {
    const [name, method] = step.static.split(".");
    return CLASSES[name][method](...args());
  }
  const target = typeof step.target === "string" ? decode({ $ref: step.target }) : decode(step.target);
  if ("set" in step) {
    target[step.set] = decode(step.value);
    return undefined;
  }
  if ("get" in step) return target[step.get];
  if ("call" in step) return callMember(target, step.call, args());
  if ("chain" in step) return follow(target, step.chain, decode);
  throw new Error(`interp: bad step ${JSON.stringify(step)}`);
}

function follow(target, links, decode) {
  let current = target;
  for (const [index, link] of links.entries()) {
    if (link === "await") return Promise.resolve(current).then((value) => follow(value, links.slice(index + 1), decode));
    if (typeof link === "string") current = current[link.slice(1)];
    else current = callMember(current, link[0], link.slice(1).map(decode));
  }
  return current;
}

function callMember(target, name, args) {
  const member = target[name];
  if (typeof member !== "function") throw new TypeError(`interp: ${name} is not a function (${typeof member})`);
  return target[name](...args); // not member.apply: on a stub that is a remote method of that name
}
