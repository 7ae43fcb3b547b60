// Runs a worker in miniflare and times requests to it; see miniflare.py. Reads JSON from stdin, prints JSON.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";

const { worker, options, paths } = JSON.parse(readFileSync(0, "utf8"));
const folder = mkdtempSync(join(tmpdir(), "bench-"));
const mf = new Miniflare({
  modules: true,
  script: worker,
  compatibilityDate: "2025-10-01",
  defaultPersistRoot: folder,
  r2Persist: join(folder, "r2"),
  kvPersist: join(folder, "kv"),
  d1Persist: join(folder, "d1"),
  ...options,
});
const seconds = {};
try {
  await mf.ready;
  for (const path of paths) {
    const [name, count] = path.slice(1).split("?");
    const started = performance.now();
    const response = await mf.dispatchFetch(`http://localhost${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    seconds[name] = (performance.now() - started) / 1000 / Number(count || 1);
  }
} finally {
  await mf.dispose();
  rmSync(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(seconds));
