// A target in the object style.
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/pass") {
      ctx.passThroughOnException();
      throw new Error("passed");
    }
    return new Response(`old-style ${request.method} ${pathname}`, { headers: { "x-old": "1" } });
  },
  rpcMethod(value) {
    return `rpc ${value}`;
  },
};
