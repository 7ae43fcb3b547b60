// Times calls of bindings in a worker under miniflare; prints {name: seconds a call} as JSON.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Miniflare } from "miniflare";

const script = `
const KEYS = 1000;
const timed = async (count, call) => {
  const started = Date.now();
  for (let number = 0; number < count; number++) await call(number);
  return (Date.now() - started) / 1000 / count;
};

export default {
  async fetch(request, { KV, DB }) {
    for (let number = 0; number < KEYS; number++) await KV.put("key-" + number, "x".repeat(256));
    await DB.exec("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, score REAL)");
    const insert = DB.prepare("INSERT INTO users (name, score) VALUES (?, ?)");
    const rows = (count) => Array.from({ length: count }, (_, number) => insert.bind("user-" + number, number));
    await DB.batch(rows(KEYS));
    const select = DB.prepare("SELECT id, name, score FROM users WHERE id = ?");
    return Response.json({
      kv_get: await timed(1000, (number) => KV.get("key-" + (number % KEYS))),
      kv_put: await timed(300, (number) => KV.put("key-" + (number % KEYS), "y".repeat(256))),
      kv_list: await timed(50, () => KV.list()),
      d1_select: await timed(500, (number) => select.bind((number % KEYS) + 1).first()),
      d1_batch: await timed(30, () => DB.batch(rows(100))),
    });
  },
};
`;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-miniflare-"));
const miniflare = new Miniflare({
  modules: true,
  script,
  compatibilityDate: "2026-04-01",
  cf: false,
  port: 0,
  kvNamespaces: { KV: "bench" },
  kvPersist: path.join(folder, "kv"),
  d1Databases: { DB: "bench" },
  d1Persist: path.join(folder, "d1"),
});
try {
  const response = await miniflare.dispatchFetch("http://bench/");
  console.log(await response.text());
} finally {
  await miniflare.dispose();
  fs.rmSync(folder, { recursive: true, force: true });
}
