// The worker that cases of service bindings run in; it is bound to itself, too.
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { buildScope, recordSteps } from "./steps.mjs";

class LocalTarget extends RpcTarget {
  calls = [];
  hit(value) {
    this.calls.push(value);
    return this.calls.length;
  }
  list() {
    return this.calls;
  }
}

export class SelfEntry extends WorkerEntrypoint {
  whoami() {
    return { props: this.ctx.props ?? null, env: Object.keys(this.env).length > 0 };
  }
  async depth(n) {
    return n <= 0 ? 0 : 1 + (await this.env.SELF_ENTRY.depth(n - 1));
  }
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/run") {
      const { number, steps } = await request.json();
      return Response.json(await recordSteps(steps, buildScope(env, number, { ctx, Target: new LocalTarget() })));
    }
    if (url.pathname === "/depth") {
      const n = Number(url.searchParams.get("n"));
      if (n <= 0) return new Response("bottom");
      const inner = await env.SELF.fetch(`http://x/depth?n=${n - 1}`);
      return new Response(`${await inner.text()}<${n}`);
    }
    if (url.pathname === "/loop") return env.SELF.fetch("http://x/loop");
    return new Response("svc_main 404", { status: 404 });
  },
};
