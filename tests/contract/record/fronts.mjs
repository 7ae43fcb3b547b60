// Records what an HTTP client sees: of the bare runtime, of `wrangler dev`, and of its static assets.
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Miniflare } from "miniflare";
import { exchange } from "./wire.mjs";

const HERE = import.meta.dirname;
const FIXTURE = path.join(HERE, "..", "assets_fixture", "public");
const COMPAT = { compatibilityDate: "2026-04-01", compatibilityFlags: ["nodejs_compat"] };
const READY_MS = 60_000;
const STOP_MS = 5_000;
const MODULES = ["http.mjs", "steps.mjs", "decode.mjs", "encode.mjs", "names.mjs"];
const NO_FETCH = "export default { scheduled() {} };";

const sourceOf = (name) => fs.readFileSync(path.join(HERE, "worker", name), "utf8");
const programsOf = (cases) => JSON.stringify(cases.map(({ program }) => program));

/** `http`: miniflare alone; a request whose host is nofetch.test goes to a worker that has no fetch handler. */
export async function recordHttp(cases) {
  const programs = { type: "Text", path: "programs.txt", contents: programsOf(cases) };
  const modules = MODULES.map((name) => ({ type: "ESModule", path: name, contents: sourceOf(name) }));
  const miniflare = new Miniflare({
    ...{ cf: false, host: "127.0.0.1", port: 0, unsafeTriggerHandlers: true, handleStructuredLogs: () => {} },
    workers: [
      { name: "main", ...COMPAT, modules: [...modules, programs] },
      { name: "nofetch", ...COMPAT, modules: true, script: NO_FETCH, routes: ["nofetch.test/*"] },
    ],
  });
  try {
    const port = Number((await miniflare.ready).port);
    return await converse(port, cases);
  } finally {
    await miniflare.dispose();
  }
}

/** `http_dev`: the same requests through wrangler's proxy. */
export const recordHttpDev = (cases) =>
  inFolder(async (folder) => {
    for (const name of MODULES) fs.writeFileSync(path.join(folder, name), sourceOf(name));
    fs.writeFileSync(path.join(folder, "programs.txt"), programsOf(cases));
    const settings = { main: "http.mjs", compatibility_flags: COMPAT.compatibilityFlags };
    return await withWrangler(folder, settings, ["--test-scheduled"], (port) => converse(port, cases));
  });

/** `assets`: each case names one of the recording's configurations; `files` of it lie over the fixture's. */
export async function recordAssets(cases, { configs }) {
  const results = [];
  for (const [name, { files = {}, ...config }] of Object.entries(configs)) {
    const numbers = [...cases.keys()].filter((number) => cases[number].config === name);
    if (!numbers.length) continue;
    await inFolder(async (folder) => {
      layOut(folder, files);
      await withWrangler(folder, config, [], async (port) => {
        for (const number of numbers) results[number] = await assetCase(port, cases[number]);
      });
    });
  }
  return results;
}

/** The fixture with some files in place of its own; a value of null removes one. */
function layOut(folder, files) {
  const target = path.join(folder, "public");
  fs.cpSync(FIXTURE, target, { recursive: true });
  fs.writeFileSync(path.join(target, "big.bin"), "z".repeat(100_000));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(target, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    if (text === null) fs.rmSync(file, { recursive: true });
    else fs.writeFileSync(file, text.$repeat ? text.$repeat[0].repeat(text.$repeat[1]) : text);
  }
  fs.writeFileSync(path.join(folder, "worker.mjs"), sourceOf("assets.mjs"));
}

async function assetCase(port, { steps }) {
  const results = [];
  let etag;
  for (const { useEtag, ...step } of steps) {
    const tags = useEtag && etag ? [["If-None-Match", (useEtag === "weak" ? "W/" : "") + etag]] : [];
    const result = await exchange(port, { ...step, headers: [...(step.headers ?? []), ...tags] }, 0);
    etag = result.ok.headers?.find(([name]) => name.toLowerCase() === "etag")?.[1] ?? etag;
    results.push(JSON.parse(JSON.stringify(result).replace(/\\"[0-9a-f]{32}\\"/g, "<etag>")));
  }
  return results;
}

async function converse(port, cases) {
  const results = [];
  for (const [number, { steps }] of cases.entries()) {
    const found = [];
    for (const step of steps) found.push(await exchange(port, step, number));
    results.push(found);
  }
  return results;
}

async function inFolder(work) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "recorder-"));
  try {
    return await work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function withWrangler(folder, settings, options, work) {
  const config = { name: "recorded", compatibility_date: COMPAT.compatibilityDate, ...settings };
  fs.writeFileSync(path.join(folder, "wrangler.json"), JSON.stringify(config));
  const port = await freePort();
  const args = ["dev", "--ip", "127.0.0.1", "--port", port, "--inspector-port", await freePort(), ...options];
  const child = spawn(path.join(HERE, "node_modules", ".bin", "wrangler"), args.map(String), {
    ...{ cwd: folder, detached: true },
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", NO_COLOR: "1", CI: "1" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  try {
    for (const end = Date.now() + READY_MS; !output.includes("Ready on"); await sleep(100)) {
      if (Date.now() > end || child.exitCode !== null) throw new Error(`wrangler is not ready: ${output}`);
    }
    return await work(port);
  } finally {
    const stopped = new Promise((resolve) => child.on("exit", resolve));
    process.kill(-child.pid, "SIGTERM");
    await Promise.race([stopped, sleep(STOP_MS, undefined, { ref: false })]);
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
