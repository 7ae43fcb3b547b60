// Durable Objects that cases run in: `run(steps)` runs steps inside an object; the rest is what cases call from outside.
import { DurableObject, RpcTarget } from "cloudflare:workers";
import { buildScope, recordSteps, runProgram } from "./steps.mjs";

const ERRORS = { TypeError, RangeError, SyntaxError, URIError, EvalError, ReferenceError, Error };

class Counter extends RpcTarget {
  #count;
  constructor(count) {
    super();
    this.#count = count;
  }
  get value() {
    return this.#count;
  }
  increment(by = 1) {
    this.#count += by;
    return this.#count;
  }
  self() {
    return this;
  }
}

export class Obj extends DurableObject {
  mem = {};
  prop = "instance-prop";
  wslog = [];

  constructor(ctx, env) {
    super(ctx, env);
    if (ctx.id.name?.startsWith("ctor-throw")) throw new Error("ctor boom");
  }

  get getter() {
    return "getter-value";
  }

  scope(extra) {
    const { ctx, env } = this;
    const { storage } = ctx;
    return { ctx, storage, sql: storage.sql, kv: storage.kv, env, obj: this, mem: this.mem, DO: env.DO, ...extra };
  }

  run(steps) {
    return recordSteps(steps, this.scope());
  }

  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/throw") throw new TypeError("fetch boom");
    if (url.pathname === "/notresponse") return "nope";
    if (url.pathname === "/ws") return this.accept(url);
    if (request.method === "POST") return await runProgram(JSON.parse(await request.text()), this.scope({ request }));
    const { method, headers, cf } = request;
    const { id } = this.ctx;
    return Response.json({
      ...{ url: request.url, method, headers: [...headers] },
      ...{ id: id.toString().length, name: id.name ?? null, cf: cf ?? null },
    });
  }

  accept(url) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, (url.searchParams.get("tags") ?? "").split(",").filter(Boolean));
    server.serializeAttachment({ n: 0 });
    return new Response(null, { status: 101, webSocket: client });
  }

  echo(...args) {
    return args.length === 1 ? args[0] : args;
  }
  typeName(value) {
    return value === null ? "null" : (value?.constructor?.name ?? typeof value);
  }
  add(left, right) {
    return left + right;
  }
  noReturn() {}
  fail(name, message, extra) {
    const error = new (ERRORS[name] ?? Error)(message);
    if (!(name in ERRORS)) error.name = name;
    throw Object.assign(error, extra ?? {});
  }
  failValue(value) {
    throw value;
  }
  async failAsync(message) {
    await scheduler.wait(1);
    throw new Error(message);
  }
  counter(count) {
    return new Counter(count);
  }
  fn() {
    return (value) => `called with ${value}`;
  }
  async callBack(callback, ...args) {
    return await callback(...args);
  }
  async callCounter(counter) {
    await counter.increment(10);
    return await counter.value;
  }
  stream(chunks) {
    return new Response(chunks.join("")).body;
  }
  readStream(stream) {
    return new Response(stream).text();
  }
  response(status, body) {
    return new Response(body, { status, headers: { "x-from": "do" } });
  }
  _underscore() {
    return "underscore";
  }
  setMem(key, value) {
    this.mem[key] = value;
    return value;
  }
  getMem(key) {
    return this.mem[key];
  }
  async slow(delayMs, value) {
    await scheduler.wait(delayMs);
    return value;
  }
  abortSelf(reason) {
    this.ctx.abort(reason);
  }

  async alarm(info) {
    const { storage } = this.ctx;
    const log = (await storage.get("alarmLog")) ?? [];
    log.push({ isRetry: info?.isRetry, retryCount: info?.retryCount, infoType: typeof info });
    await storage.put("alarmLog", log);
    const mode = await storage.get("alarmMode");
    if (mode === "throw" && log.length < 3) throw new Error("alarm boom");
    if (mode === "look") await storage.put("seen", await storage.getAlarm());
    if (mode === "again" && log.length < 3) await storage.setAlarm(Date.now() + 20);
  }

  wsList(tag) {
    return this.ctx.getWebSockets(tag).map((socket) => ({
      ...{ state: socket.readyState, tags: this.ctx.getTags(socket), att: socket.deserializeAttachment() },
    }));
  }
  wsBroadcast(message) {
    for (const socket of this.ctx.getWebSockets()) socket.send(message);
  }
  wsAutoResponse(request, response) {
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(request, response));
    const pair = this.ctx.getWebSocketAutoResponse();
    return { request: pair.request, response: pair.response };
  }
  getWsLog() {
    return this.wslog;
  }
  webSocketMessage(socket, message) {
    const type = typeof message === "string" ? "string" : message.constructor.name;
    this.wslog.push({ ev: "message", type, m: message.byteLength ?? message });
    const { n } = socket.deserializeAttachment();
    socket.serializeAttachment({ n: n + 1 });
    if (message === "close-me") socket.close(4001, "bye");
    else if (message === "throw") throw new Error("ws boom");
    else socket.send(type === "string" ? `echo:${message}:${n}` : message);
  }
  webSocketClose(_socket, code, reason, wasClean) {
    this.wslog.push({ ev: "close", code, reason, wasClean });
  }
  webSocketError(_socket, error) {
    this.wslog.push({ ev: "error", m: error?.message });
  }
}

export class Plain {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }
  fetch(request) {
    return new Response(`plain ${new URL(request.url).pathname}`);
  }
  other() {
    return 1;
  }
}

export class NoHandlers extends DurableObject {
  run(steps) {
    const { storage } = this.ctx;
    return recordSteps(steps, { ctx: this.ctx, storage, sql: storage.sql, kv: storage.kv });
  }
}

// The client's end of a WebSocket, which collects what it receives.
const WS = {
  async open(stub, url) {
    const response = await stub.fetch(url, { headers: { Upgrade: "websocket" } });
    const { status, webSocket: ws } = response;
    const msgs = [];
    if (!ws) return { ws, msgs, status };
    const shown = (data) =>
      typeof data === "string" ? data : { binary: data.constructor.name, size: data.byteLength ?? data.size };
    ws.addEventListener("message", ({ data }) => msgs.push(shown(data)));
    ws.addEventListener("close", ({ code, reason, wasClean }) => msgs.push({ close: code, reason, wasClean }));
    ws.addEventListener("error", (event) => msgs.push({ error: event.message ?? String(event) }));
    ws.accept();
    return { ws, msgs, status };
  },
};

export default {
  async fetch(request, env, ctx) {
    const { number, steps } = await request.json();
    const extra = { ctx, WS, RpcCounter: new Counter(100), DOns: env.DO };
    return Response.json(await recordSteps(steps, buildScope(env, number, extra)));
  },
};
