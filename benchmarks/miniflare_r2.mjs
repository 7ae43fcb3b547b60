// What workers/objects/entry.py does, in JavaScript under miniflare; prints the seconds of each kind of call as JSON.
// The time is taken from outside: clocks stand still inside.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";

const WORKER = `
const calls = {
  async fill({ R2 }, count) {
    for (let start = 0; start < count; start += 50) {
      const keys = Array.from({ length: 50 }, (_, offset) => \`key-\${String(start + offset).padStart(6, "0")}\`);
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
      await (await R2.get(\`key-\${String(number).padStart(6, "0")}\`)).text();
    }
  },
  async put({ R2 }, count) {
    for (let number = 0; number < count; number++) await R2.put(\`new-\${number}\`, "x".repeat(1000));
  },
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    await calls[url.pathname.slice(1)](env, Number(url.search.slice(1) || 1));
    return new Response("ok");
  },
};
`;
// miniflare stores one object after the other: the hundred thousand of our own bucket would take minutes.
const CALLS = [["fill", 3000], ["large", 100_000_000], ["read", 3], ["list", 5], ["get", 500], ["put", 500]];

const folder = mkdtempSync(join(tmpdir(), "bench-"));
const mf = new Miniflare({
  modules: true,
  script: WORKER,
  compatibilityDate: "2025-10-01",
  r2Buckets: ["R2"],
  r2Persist: folder,
});
const seconds = {};
try {
  await mf.ready;
  for (const [name, count] of CALLS) {
    const started = performance.now();
    const response = await mf.dispatchFetch(`http://localhost/${name}?${count}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`);
    seconds[name] = (performance.now() - started) / 1000 / count;
  }
} finally {
  await mf.dispose();
  rmSync(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(seconds));
