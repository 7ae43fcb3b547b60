// A step's JSON to values.
import { CLASSES, HELPERS } from "./names.mjs";

const utf8 = (text) => new TextEncoder().encode(text);
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const asBytes = (chunk) => (typeof chunk === "string" ? utf8(chunk) : chunk);
const sequence = (size) => Uint8Array.from({ length: size }, (_, index) => (index * 31 + 7) & 255);

const streamOf = (chunks) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

/** @param programs runs the steps of `$steps` and `$syncsteps`. */
export function makeDecoder(scope, programs) {
  const path = (dotted) => {
    const [head, ...rest] = String(dotted).split(".");
    if (!(head in scope)) throw new Error(`interp: unknown ref ${head}`);
    return rest.reduce((value, name) => value[name], scope[head]);
  };

  const makeFunction = (run, steps, params = []) => (...args) => {
    const inner = Object.create(scope);
    params.forEach((name, index) => (inner[name] = args[index]));
    return run(steps, inner);
  };

  const special = {
    $undef: () => undefined,
    $num: (text) => (text === "-0" ? -0 : Number(text)),
    $bigint: (text) => BigInt(text),
    $date: (text) => new Date(text),
    $now: (offsetMs) => new Date(Date.now() + offsetMs),
    $epoch: (offsetS) => Math.floor(Date.now() / 1000) + offsetS,
    $b64: fromBase64,
    $ab: (text) => fromBase64(text).buffer,
    $utf8: (text) => utf8(decode(text)),
    $abutf8: (text) => utf8(decode(text)).buffer,
    $dataview: (text) => new DataView(utf8(text).buffer),
    $u16: (items) => new Uint16Array(items),
    $f64: (items) => new Float64Array(items),
    $repeat: ([text, count]) => String(text).repeat(count),
    $fill: ([byte, size]) => new Uint8Array(size).fill(byte),
    $seq: sequence,
    $abseq: (size) => sequence(size).buffer,
    $stream: (chunks) => streamOf(decode(chunks).map(asBytes)),
    $strstream: (chunks) => streamOf(decode(chunks)),
    $errstream: ({ chunks = [], message }) => {
      const waiting = decode(chunks).map(asBytes);
      return new ReadableStream({
        pull(controller) {
          if (waiting.length) controller.enqueue(waiting.shift());
          else controller.error(new Error(message));
        },
      });
    },
    $flstream: ({ length, chunks }) => {
      const stream = new FixedLengthStream(length);
      HELPERS.writeBg(stream.writable, decode(chunks).map(asBytes));
      return stream.readable;
    },
    $slowstream: ({ chunks, ms }) => {
      const waiting = decode(chunks).map(asBytes);
      const total = waiting.length;
      return new ReadableStream({
        async pull(controller) {
          if (!waiting.length) return controller.close();
          if (waiting.length < total) await HELPERS.sleep(ms);
          controller.enqueue(waiting.shift());
        },
      });
    },
    $ref: path,
    $fmt: (pattern) =>
      pattern.replace(/\{(\w+)(?::(\d+))?\}/g, (_, name, width) => String(scope[name]).padStart(Number(width ?? 0), "0")),
    $headers: (init) => new Headers(decode(init)),
    $map: (entries) => new Map(entries.map(([key, value]) => [decode(key), decode(value)])),
    $set: (items) => new Set(decode(items)),
    $regexp: (source) => new RegExp(source),
    $error: ({ name, message }) => new (CLASSES[name] ?? Error)(message),
    $new: ([name, ...args]) => new CLASSES[name](...args.map(decode)),
    $function: (value) => () => value,
    $symbol: (description) => Symbol(description),
    $circular: () => {
      const value = { name: "circ" };
      value.self = value;
      return value;
    },
    $obj: (entries) => Object.fromEntries(entries.map(([key, value]) => [key, decode(value)])),
    $literal: (value) => value,
  };

  function decode(value) {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(decode);
    const [name] = Object.keys(value);
    if (name === "$steps") return makeFunction(programs.runProgram, value[name], value.params);
    if (name === "$syncsteps") return makeFunction(programs.runProgramNow, value[name], value.params);
    if (name?.startsWith("$") && special[name]) return special[name](value[name]);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
  }

  return decode;
}
