// node record.mjs [--write] [FILE ...]: run recorded cases on the real runtime again; see README.md.
import fs from "node:fs";
import path from "node:path";
import { Miniflare } from "miniflare";
import { AREAS, PREPARE, VARYING } from "./areas.mjs";
import { recordAssets, recordHttp, recordHttpDev } from "./fronts.mjs";
import { differences, mask, maskLength } from "./masking.mjs";

const HERE = import.meta.dirname;
const OWN = path.join(HERE, "..", "recordings", "own");
const COMPAT = { compatibilityDate: "2026-04-01", compatibilityFlags: ["nodejs_compat"] };
// Area → the option of miniflare, and the name that steps use.
const BINDINGS = {
  ...{ kv: ["kvNamespaces", "KV"], r2: ["r2Buckets", "R2"], d1: ["d1Databases", "DB"] },
  workflows: ["workflows", "WF", (id) => ({ name: id, className: "Flow" })],
};

// Areas whose steps are requests of a client.
const FRONTS = { http: recordHttp, http_dev: recordHttpDev, assets: recordAssets };

const moduleOf = (name) => ({
  type: "ESModule",
  path: name,
  contents: fs.readFileSync(path.join(HERE, "worker", name), "utf8"),
});
const versionOf = (name) =>
  JSON.parse(fs.readFileSync(path.join(HERE, "node_modules", name, "package.json"), "utf8")).version;
const recordedWith = () => ({
  ...Object.fromEntries(["miniflare", "workerd", "wrangler"].map((name) => [name, versionOf(name)])),
  node: process.version,
  ...COMPAT,
});

async function run(area, cases) {
  const [option, name, describe = (id) => id] = BINDINGS[area] ?? []; // some areas need none
  const bindings = Object.fromEntries(cases.map((_, number) => [`${name}__${number}`, describe(`${area}-${number}`)]));
  const miniflare = new Miniflare({
    ...COMPAT,
    cf: false,
    host: "127.0.0.1",
    port: 0,
    modules: ["main.mjs", "steps.mjs", "decode.mjs", "encode.mjs", "names.mjs", "flow.mjs"].map(moduleOf),
    ...(option && { [option]: bindings }),
    ...AREAS[area]?.({ moduleOf, compat: COMPAT, count: cases.length }),
  });
  try {
    await PREPARE[area]?.(miniflare);
    const results = [];
    for (const [number, { steps }] of cases.entries()) {
      const body = JSON.stringify({ number, steps });
      const response = await miniflare.dispatchFetch("http://recorder/run", { method: "POST", body });
      const text = await response.text();
      if (!response.ok) throw new Error(`${cases[number].id}: the recording worker answered ${response.status}: ${text}`);
      results.push(JSON.parse(VARYING[area] ? text.replace(...VARYING[area]) : text));
    }
    return results;
  } finally {
    await miniflare.dispose();
  }
}

/** Returns the number of steps that answer otherwise than recorded. */
async function recordFile(file, { write }) {
  const recording = JSON.parse(fs.readFileSync(file, "utf8"));
  const { area, cases } = recording;
  const record = FRONTS[area] ?? ((cases) => run(area, cases));
  const [first, second] = [await record(cases, recording), await record(cases, recording)]; // what differs is masked
  let steps = 0;
  let moved = 0;
  for (const [number, one] of cases.entries()) {
    const results = mask(first[number], second[number]);
    for (const [index, result] of results.entries()) {
      steps += 1;
      if (area in FRONTS) maskLength(result, one.steps[index]);
      const lines = one.results ? differences(one.results[index], result) : [];
      moved += lines.length ? 1 : 0;
      for (const line of lines) console.log(`${one.id}#${index} ${line}`);
    }
    one.results = results;
  }
  console.log(`${path.basename(file)}: ${cases.length} cases, ${steps} steps, ${moved} answer otherwise than recorded`);
  if (write) {
    const { area: _area, recorded_with: _previous, cases: _cases, ...rest } = recording;
    const text = JSON.stringify({ area, recorded_with: recordedWith(), ...rest, cases }, null, 1);
    fs.writeFileSync(file, `${text}\n`);
  }
  return moved;
}

const args = process.argv.slice(2);
const given = args.filter((arg) => !arg.startsWith("--"));
const files = given.length ? given : fs.readdirSync(OWN).map((name) => path.join(OWN, name));
const write = args.includes("--write");
let moved = 0;
for (const file of files) moved += await recordFile(file, { write });
process.exit(moved && !write ? 1 : 0);
