// The worker behind recorded HTTP requests: /p/7 runs the program of case 7. In Python: ../../http_worker/entry.py.
import { encode } from "./encode.mjs";
import programsText from "./programs.txt";
import { buildScope, runProgram } from "./steps.mjs";

const programs = JSON.parse(programsText);
const state = { log: [], cron: [], mail: [] };
const later = (delayMs, settle) => new Promise((resolve, reject) => setTimeout(() => settle(resolve, reject), delayMs));

const H = {
  info: async (request) => ({
    ...{ method: request.method, url: request.url, headers: [...request.headers] },
    ...{ hasBody: request.body !== null, redirect: request.redirect },
    body: request.body ? await request.text() : null,
  }),
  bodyBytes: async (request) => (await request.arrayBuffer()).byteLength,
  unhandled: () => void Promise.reject(new Error("unhandled boom")),
  later: (delayMs, message) => later(delayMs, (_, reject) => reject(new Error(message))),
  resolveLater: (delayMs, name, value) => later(delayMs, (resolve) => resolve(void (state[name] = value))),
  enc: (value) => encode(value),
};

export default {
  async fetch(request, env, ctx) {
    const [, number] = /^\/p\/(\d+)(\/|$)/.exec(new URL(request.url).pathname) ?? [];
    if (number === undefined) return new Response("no program", { status: 404 });
    return await runProgram(programs[number], buildScope(env, Number(number), { request, ctx, state, H }));
  },

  async scheduled(controller, env, ctx) {
    const { cron, type = null, scheduledTime: time } = controller;
    state.cron.push({ cron, type, timeType: typeof time, time, ctor: controller.constructor.name });
    if (cron === "throw") throw new Error("cron boom");
    if (cron === "noretry") controller.noRetry();
    if (cron === "waituntil-reject") ctx.waitUntil(Promise.reject(new Error("wu boom")));
    if (cron === "slow") await scheduler.wait(300);
  },

  async email(message) {
    const { from, to, rawSize, headers } = message;
    const raw = await new Response(message.raw).text();
    state.mail.push({ from, to, rawSize, headers: [...headers], raw, ctor: message.constructor.name });
    if (to.includes("reject")) message.setReject("not wanted");
    if (to.includes("forward")) await message.forward("other@example.com", new Headers({ "X-Fwd": "1" }));
    if (to.includes("throw")) throw new Error("mail boom");
  },
};
