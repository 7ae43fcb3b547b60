// The worker that cases of service bindings call.
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { runProgram } from "./steps.mjs";

const ERRORS = { TypeError, RangeError, URIError, EvalError, ReferenceError, SyntaxError, Error };

class Session extends RpcTarget {
  field = "own-field";
  constructor(name) {
    super();
    this.label = name;
  }
  get name() {
    return this.label;
  }
  greet(greeting) {
    return `${this.label}:${greeting}`;
  }
  async boom() {
    throw new RangeError("sess boom");
  }
  child(name) {
    return new Session(`${this.label}/${name}`);
  }
  [Symbol.dispose]() {
    globalThis.disposed = (globalThis.disposed ?? 0) + 1;
  }
}

class Foo {
  x = 1;
}

async function info(request) {
  const { method, url, headers, cf, redirect, body } = request;
  return Response.json({
    ...{ method, url, headers: [...headers], cf: cf ?? null, hasBody: body !== null, redirect },
    body: body ? await request.text() : null,
  });
}

function webSocket(request) {
  if (request.headers.get("upgrade") !== "websocket") return new Response("no upgrade", { status: 426 });
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  server.addEventListener("message", ({ data }) => {
    if (data === "close") server.close(4002, "as asked");
    else server.send(typeof data === "string" ? `echo ${data}` : data);
  });
  return new Response(null, { status: 101, webSocket: client });
}

export default class Default extends WorkerEntrypoint {
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/info":
        return info(request);
      case "/throw":
        throw new TypeError("target boom");
      case "/throw-string":
        throw "a string";
      case "/notresponse":
        return { a: 1 };
      case "/undefined":
        return undefined;
      case "/program":
        return await runProgram(JSON.parse(await request.text()), { request, env: this.env, ctx: this.ctx });
      case "/redirect":
        return Response.redirect("http://elsewhere/final", 302);
      case "/redirect-to":
        return new Response(null, {
          status: Number(url.searchParams.get("status")),
          headers: { location: url.searchParams.get("to") },
        });
      case "/redirect-loop":
        return new Response(null, { status: 302, headers: { location: "/redirect-loop" } });
      case "/redirect-self":
        return new Response(null, { status: 302, headers: { location: "/info" } });
      case "/ws":
        return webSocket(request);
      case "/props":
        return Response.json({ props: this.ctx.props ?? null });
      case "/slow":
        await scheduler.wait(Number(url.searchParams.get("ms")));
        return new Response("slow done");
      case "/disposed":
        return Response.json({ disposed: globalThis.disposed ?? 0 });
      case "/later":
        this.ctx.waitUntil(scheduler.wait(20).then(() => (globalThis.later = true)));
        return new Response("at once");
      case "/was-later":
        return Response.json(globalThis.later ?? false);
    }
    return new Response(`target 404 ${url.pathname}`, { status: 404 });
  }

  echo(...values) {
    return values.length === 1 ? values[0] : values;
  }
  add(left, right) {
    return left + right;
  }
  argCount(...values) {
    return values.length;
  }
  fail(name, message, props) {
    const error = new (ERRORS[name] ?? Error)(message);
    if (!(name in ERRORS)) error.name = name;
    throw Object.assign(error, props ?? {});
  }
  failValue(value) {
    throw value;
  }
  failDom(name) {
    throw new DOMException("dom message", name);
  }
  failCause() {
    throw new Error("outer", { cause: new TypeError("inner") });
  }
  failAggregate() {
    throw new AggregateError([new Error("a"), new Error("b")], "agg");
  }
  errorValue(name, message, cause) {
    const error = new (ERRORS[name] ?? Error)(message, cause === undefined ? undefined : { cause });
    if (!(name in ERRORS)) error.name = name;
    return error;
  }
  sess(name) {
    return new Session(name);
  }
  sessList() {
    return [new Session("l0"), { deep: new Session("l1") }];
  }
  fnAdd(n) {
    return (x) => x + n;
  }
  async call(callback, ...args) {
    return await callback(...args);
  }
  keepCallback(callback) {
    globalThis.kept = callback;
    return "kept";
  }
  async useTarget(target, times) {
    for (let index = 0; index < times; index++) await target.hit(index);
    return await target.list();
  }
  stream(chunks) {
    const encoder = new TextEncoder();
    return new ReadableStream({
      type: "bytes",
      start(controller) {
        for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
        controller.close();
      },
    });
  }
  async readStream(stream) {
    return await new Response(stream).text();
  }
  async readBody(message) {
    const { status, method, headers } = message;
    return [message.constructor.name, status ?? method, await message.text(), [...headers]];
  }
  async writeTo(writable, chunks) {
    const writer = writable.getWriter();
    for (const chunk of chunks) await writer.write(new TextEncoder().encode(chunk));
    await writer.close();
    return "written";
  }
  response(body, init) {
    return new Response(body, init);
  }
  request(url, init) {
    return new Request(url, init);
  }
  make(kind) {
    const makers = {
      foo: () => new Foo(),
      url: () => new URL("http://x"),
      weak: () => new WeakMap(),
      symbol: () => Symbol("made"),
      promise: () => ({ p: Promise.resolve(5) }),
      map: () => new Map([["k", new Foo()]]),
      abort: () => new AbortController(),
      iterator: () => [].values(),
      proxy: () => new Proxy({ a: 1 }, {}),
      getter: () => ({
        get a() {
          return 1;
        },
      }),
      throwing: () => ({
        get a() {
          throw new RangeError("getter boom");
        },
      }),
      nullProto: () => Object.assign(Object.create(null), { a: 1 }),
      sparse: () => [1, , 3],
      boxed: () => [Object(1), Object("s"), Object(true), Object(2n)],
      shared: () => {
        const shared = { s: 1 };
        return [shared, shared];
      },
      views: () => {
        const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
        return [new Uint8Array(buffer, 1, 2), new DataView(buffer, 2)];
      },
      emptyError: () => new Error(),
      formData: () => new FormData(),
      headers: () => new Headers([["A", "1"]]),
      deep: () => JSON.parse("[".repeat(200) + "]".repeat(200)),
      class: () => Foo,
      arrow: () => () => 1,
      global: () => globalThis,
      nothing: () => undefined,
    };
    return makers[kind]();
  }
  classInstance() {
    return new Foo();
  }
  withToJSON() {
    return { toJSON: () => "json", v: 1 };
  }
  promiseField() {
    return { p: Promise.resolve(5) };
  }
  *generator() {
    yield 1;
  }
  async delay(delayMs, value) {
    await scheduler.wait(delayMs);
    return value;
  }
  date(time) {
    return new Date(time);
  }
  typeOf(value) {
    return [typeof value, value?.constructor?.name ?? null];
  }
  laterCall() {
    this.ctx.waitUntil(scheduler.wait(20).then(() => (globalThis.laterCall = true)));
    return "at once";
  }
  wasLater() {
    return globalThis.laterCall ?? false;
  }
  get prop() {
    return "proto getter";
  }
  scheduled() {
    return "s";
  }
  _underscored() {
    return "under";
  }
  $dollar() {
    return "dollar";
  }
  ["with space"]() {
    return "space";
  }
  #hidden() {}
}

export class Named extends WorkerEntrypoint {
  fetch(request) {
    return new Response(`named ${new URL(request.url).pathname}`);
  }
  whoami() {
    return "Named";
  }
  props() {
    return this.ctx.props ?? null;
  }
  envKeys() {
    return Object.keys(this.env).sort();
  }
}

export class NoFetch extends WorkerEntrypoint {
  hello() {
    return "hello from NoFetch";
  }
}

export const objEntry = {
  fetch(request) {
    return new Response(`objEntry ${new URL(request.url).pathname}`);
  },
};
