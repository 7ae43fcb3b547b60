// A client of raw bytes: sends one recorded request and tells what came back. In Python: ../http_client.py.
import crypto from "node:crypto";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import zlib from "node:zlib";

const LIMIT_MS = 4000;
const LONG_BYTES = 2048;
const SHOWN_CHARACTERS = 200;
const DECODERS = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync };

const isNamed = (name) => ([key]) => key.toLowerCase() === name;
const shownOf = (bytes) => bytes.toString("utf8").slice(0, SHOWN_CHARACTERS);

/** The result of a step: one answer, or a list where there is not exactly one. */
export async function exchange(port, step, number) {
  if (step.sleep) {
    await sleep(step.sleep);
    return { ok: { slept: step.sleep } };
  }
  const answers = await converse(port, requestBytes(step, number), step);
  return { ok: answers.length === 1 ? answers[0] : answers };
}

function requestBytes(step, number) {
  if (step.raw) return Buffer.from(step.raw.replaceAll("{case}", number), "utf8");
  const headers = [...step.headers];
  if (!headers.some(isNamed("host"))) headers.unshift(["Host", "test.local"]);
  const text = step.body?.$repeat ? step.body.$repeat[0].repeat(step.body.$repeat[1]) : step.body;
  const body = Buffer.from(text ?? "", "utf8");
  if (text !== undefined) headers.push(["Content-Length", String(body.length)]);
  const target = step.abs ?? `/p/${number}${step.path ?? ""}`;
  const lines = [`${step.method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), "", ""];
  return Buffer.concat([Buffer.from(lines.join("\r\n"), "utf8"), body, Buffer.from(step.rawBody ?? "", "utf8")]);
}

function converse(port, request, step) {
  const { promise, resolve } = Promise.withResolvers?.() ?? deferred();
  const wanted = step.count ?? 1;
  const answers = [];
  let buffer = Buffer.alloc(0);
  const socket = net.connect(port, "127.0.0.1");
  const finish = (answer) => {
    clearTimeout(timer);
    if (answer) answers.push(answer);
    socket.destroy();
    resolve(answers);
  };
  const timer = setTimeout(() => finish({ timeout: true, received: shownOf(buffer) }), LIMIT_MS);
  const read = (hasEnded) => {
    for (;;) {
      const found = parseAnswer(buffer, step, hasEnded);
      if (!found) break;
      answers.push(found.answer);
      if (found.used === undefined || answers.filter((one) => one.status).length >= wanted) return finish();
      buffer = buffer.subarray(found.used);
    }
    if (hasEnded) finish(answers.length ? undefined : { closed: true, received: shownOf(buffer) });
  };
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    read(false);
  });
  socket.on("end", () => read(true));
  socket.on("error", ({ code }) => (buffer.length ? read(true) : finish({ socketError: code })));
  socket.write(request);
  return promise;
}

function deferred() {
  const handles = {};
  handles.promise = new Promise((resolve) => (handles.resolve = resolve));
  return handles;
}

/** The first answer in the buffer, and how long it is; nothing while it is not complete. */
function parseAnswer(buffer, step, hasEnded) {
  const headEnd = buffer.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [first, ...lines] = buffer.subarray(0, headEnd).toString("latin1").split("\r\n");
  const match = /^(HTTP\/\d\.\d) (\d+) ?(.*)$/.exec(first);
  if (!match) return { answer: { notHttp: first } };
  const status = Number(match[2]);
  if (status < 200 && status !== 101) return { answer: { informational: status }, used: headEnd + 4 };
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), Buffer.from(line.slice(colon + 1).trim(), "latin1").toString("utf8")];
  });
  const isBare = step.method === "HEAD" || [101, 204, 304].includes(status);
  const body = isBare ? { framing: "none", parts: [], used: 0 } : parseBody(buffer.subarray(headEnd + 4), headers, hasEnded);
  if (!body) return undefined;
  const { framing, parts, used } = body;
  const isCut = used === undefined;
  const answer = {
    ...{ version: match[1], status, reason: match[3], headers, framing },
    ...(isCut && { truncated: true }),
    ...shownBody(Buffer.concat(parts), status, headers),
    ...(step.chunks && { n_chunks: parts.length, chunks: parts.map(String) }),
  };
  return { answer, used: isCut ? undefined : headEnd + 4 + used };
}

/** Framing, pieces and length of a body; no length: it was cut. Nothing while it is not complete. */
function parseBody(bytes, headers, hasEnded) {
  const header = (name) => headers.find(isNamed(name))?.[1];
  if (/chunked/i.test(header("transfer-encoding") ?? "")) return parseChunks(bytes, hasEnded);
  const length = header("content-length");
  if (length === undefined) return hasEnded ? { framing: "close", parts: [bytes], used: bytes.length } : undefined;
  const framing = "content-length";
  if (bytes.length >= Number(length)) return { framing, parts: [bytes.subarray(0, length)], used: Number(length) };
  return hasEnded ? { framing, parts: [bytes] } : undefined;
}

function parseChunks(bytes, hasEnded) {
  const parts = [];
  for (let start = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", start);
    const size = lineEnd < 0 ? NaN : parseInt(bytes.subarray(start, lineEnd).toString(), 16);
    if (size === 0) return { framing: "chunked", parts, used: lineEnd + 4 };
    const end = lineEnd + 2 + size;
    if (!(bytes.length >= end + 2)) return hasEnded ? { framing: "chunked", parts } : undefined;
    parts.push(bytes.subarray(lineEnd + 2, end));
    start = end + 2;
  }
}

function shownBody(body, status, headers) {
  const shown = {};
  const coding = headers.find(isNamed("content-encoding"))?.[1];
  if (coding in DECODERS) {
    try {
      return { body_compressed: coding, decoded: DECODERS[coding](body).toString("utf8") };
    } catch {
      shown.not_decodable_as = coding;
    }
  }
  const text = body.toString("utf8");
  if (body.length > LONG_BYTES) {
    if (status >= 500 && /html/.test(JSON.stringify(headers))) {
      const title = /<title>([^<]*)/.exec(text)?.[1] ?? null;
      return { ...shown, body_length: "<varies-if-html>", body_is_html_error_page: true, title };
    }
    return { ...shown, body_length: body.length, body_sha256: crypto.createHash("sha256").update(body).digest("hex") };
  }
  return Buffer.from(text, "utf8").equals(body) ? { ...shown, body: text } : { ...shown, body_b64: body.toString("base64") };
}
