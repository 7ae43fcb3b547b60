// The worker beside recorded assets: /via/x answers with what the binding says of /x.
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (!url.pathname.startsWith("/via")) {
      return new Response(`worker ${request.method} ${url.pathname}`, { headers: { "x-worker": "1" } });
    }
    url.pathname = url.pathname.slice(4) || "/";
    const found = await env.ASSETS.fetch(new Request(url, request));
    const asked = found.url ? new URL(found.url).pathname : "";
    const headers = [...found.headers, ["x-via", "worker"], ["x-asset-url", asked]];
    return new Response(found.body, { status: found.status, headers });
  },
};
