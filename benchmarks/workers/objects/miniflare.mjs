// What entry.py does, in JavaScript: the time is taken from outside, as clocks stand still inside.
const calls = {
  async fill({ R2 }) {
    for (let start = 0; start < 3000; start += 50) {
      const keys = Array.from({ length: 50 }, (_, offset) => `key-${String(start + offset).padStart(6, "0")}`);
      await Promise.all(keys.map((key) => R2.put(key, "x".repeat(1000))));
    }
  },
  async large({ R2 }, size) {
    const { readable, writable } = new FixedLengthStream(size);
    const piece = new Uint8Array(1_000_000);
    const stored = R2.put("large", readable);
    const writer = writable.getWriter();
    for (let sent = 0; sent < size; sent += piece.length) await writer.write(piece.slice());
    await writer.close();
    await stored;
  },
  async read({ R2 }, count) {
    for (let turn = 0; turn < count; turn++) {
      const reader = (await R2.get("large")).body.getReader();
      while (!(await reader.read()).done);
    }
  },
  async list({ R2 }, count) {
    for (let turn = 0; turn < count; turn++) {
      const page = await R2.list({ limit: 1000, startAfter: "key-000500" });
      if (page.objects.length !== 1000) throw new Error("too few keys");
    }
  },
  async get({ R2 }, count) {
    for (let number = 0; number < count; number++) {
      await (await R2.get(`key-${String(number).padStart(6, "0")}`)).text();
    }
  },
  async put({ R2 }, count) {
    for (let number = 0; number < count; number++) await R2.put(`new-${number}`, "x".repeat(1000));
  },
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    await calls[url.pathname.slice(1)](env, Number(url.search.slice(1) || 1));
    return new Response("ok");
  },
};
