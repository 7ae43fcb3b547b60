// The classes and helpers that steps can name.
export const CLASSES = {
  ...{ Request, Response, Headers, URL, URLSearchParams, FormData, Blob, File, URLPattern, WebSocketPair, HTMLRewriter },
  ...{ TextEncoder, TextDecoder, TextDecoderStream, TextEncoderStream, CompressionStream, DecompressionStream },
  ...{ ReadableStream, WritableStream, TransformStream, IdentityTransformStream, FixedLengthStream },
  ...{ ByteLengthQueuingStrategy, CountQueuingStrategy, AbortController, AbortSignal, Event },
  ...{ Date, DOMException, Error, TypeError, RangeError, DigestStream: crypto.DigestStream },
};

const sleep = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));

const collect = async (items) => {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
};

const writeAll = async (stream, chunks, close = true) => {
  const writer = stream.getWriter();
  for (const chunk of chunks) await writer.write(chunk);
  if (close) await writer.close();
};

export const HELPERS = {
  readText: async (stream) => new Response(stream).text(),
  readBytes: async (stream) => new Uint8Array(await new Response(stream).arrayBuffer()),
  readChunks: async (stream) =>
    (await collect(stream)).map((chunk) => (typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk))),
  readRaw: collect,
  iterate: collect,
  iterateSync: (items) => [...items],
  entries: (items) => [...items],
  sleep,
  writeAll,
  writeBg: (stream, chunks, close = true) => void writeAll(stream, chunks, close).catch(() => {}),
  abortBg: (stream, reason) => void stream.abort(reason).catch(() => {}),
  keys: (value) => Object.keys(value),
  sortedKeys: (value) => Object.keys(value).sort(),
  typeOf: (value) => (value === null ? "null" : typeof value),
  ctor: (value) => value?.constructor?.name,
  isInstance: (value, name) => value instanceof CLASSES[name],
  same: (left, right) => left === right,
  hasProp: (value, name) => name in value,
  structuredClone: (value) => structuredClone(value),
  JSONparse: (text) => JSON.parse(text),
  JSONstringify: (value) => JSON.stringify(value),
  len: (value) => value.length ?? value.byteLength ?? value.size,
  settle: async (value) => {
    try {
      return { fulfilled: await value };
    } catch (error) {
      return { rejected: error };
    }
  },
  race: (value, delayMs) => Promise.race([value, sleep(delayMs).then(() => "<timeout>")]),
  pick: (value, names) => Object.fromEntries(names.map((name) => [name, value[name]])),
  concat: (...items) => items.join(""),
  slice: (value, start, end) => value.slice(start, end),
  throwIt: async (error) => {
    throw error;
  },
  fetch: (...args) => fetch(...args),
  waitStatus: async (instance, wanted, limitMs = 8000) => {
    const end = Date.now() + limitMs;
    for (;;) {
      const s = await instance.status();
      if (wanted.includes(s.status)) return s;
      if (Date.now() > end) return { timedOut: true, s };
      await sleep(50);
    }
  },
  atob: (text) => atob(text),
  btoa: (text) => btoa(text),
};
