"""The page that a browser finds at /graphql: an editor for queries, in one file without other origins.

GraphiQL itself is 2 MB of scripts; this page has what trying a query needs: query, variables, key, history of one,
answers, and the schema as text.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from workers import Response

from .call import Call
from .web import header

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 0; display: grid; grid-template-rows: auto 1fr; min-height: 100vh; }
header { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; padding: .6rem 1rem;
  border-bottom: 1px solid #8884; }
h1 { font-size: 1rem; margin: 0 auto 0 0; }
main { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
section { display: flex; flex-direction: column; padding: .8rem 1rem; gap: .4rem; min-width: 0; }
label { font-weight: 600; font-size: .85rem; }
textarea, input, pre, button { font: 13px/1.5 ui-monospace, monospace; }
textarea, input { border: 1px solid #8886; border-radius: 4px; padding: .5rem; background: transparent;
  color: inherit; }
textarea { flex: 1; min-height: 9rem; resize: vertical; }
#variables { flex: 0 1 5rem; min-height: 4rem; }
pre { margin: 0; overflow: auto; flex: 1; white-space: pre-wrap; overflow-wrap: anywhere; }
button { padding: .45rem .9rem; border-radius: 4px; border: 1px solid #8886; cursor: pointer; }
#run { background: #f6821f; color: #fff; border-color: #f6821f; }
@media (max-width: 700px) { main { grid-template-columns: 1fr; } }
"""
_SCRIPT: Final = r"""
const $ = (id) => document.getElementById(id);
for (const id of ["query", "variables", "key"]) {
  const saved = sessionStorage.getItem("graphql-" + id);
  if (saved !== null) $(id).value = saved;
  $(id).addEventListener("input", () => sessionStorage.setItem("graphql-" + id, $(id).value));
}
async function ask(query, variables) {
  const headers = { "content-type": "application/json", accept: "application/graphql-response+json" };
  if ($("key").value) headers.authorization = "Bearer " + $("key").value.trim();
  const response = await fetch(location.pathname, {
    method: "POST", headers, body: JSON.stringify({ query, variables }),
  });
  return [response.status, await response.json()];
}
async function run() {
  $("status").textContent = "…";
  const started = performance.now();
  try {
    const [status, body] = await ask($("query").value, JSON.parse($("variables").value || "{}"));
    $("answer").textContent = JSON.stringify(body, null, 2);
    $("status").textContent = status + " in " + Math.round(performance.now() - started) + " ms";
  } catch (error) {
    $("answer").textContent = String(error);
    $("status").textContent = "failed";
  }
}
const named = (type) => type.kind === "NON_NULL" ? named(type.ofType) + "!"
  : type.kind === "LIST" ? "[" + named(type.ofType) + "]" : type.name;
const REF = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
async function schema() {
  const [, body] = await ask(`{ __schema { types { kind name description enumValues { name }
    fields { name description args { name type { ${REF} } } type { ${REF} } }
    inputFields { name type { ${REF} } } } } }`);
  const types = body.data.__schema.types.filter((type) => !type.name.startsWith("__") && type.kind !== "SCALAR");
  $("answer").textContent = types.map((type) => {
    const fields = type.fields ?? type.inputFields ?? type.enumValues;
    const lines = fields.map((field) => {
      const list = (field.args ?? []).map((arg) => arg.name + ": " + named(arg.type)).join(", ");
      const args = list && "(" + list + ")";
      return "  " + field.name + args + (field.type ? ": " + named(field.type) : "")
        + (field.description ? "  # " + field.description : "");
    });
    return type.name + " {\n" + lines.join("\n") + "\n}";
  }).join("\n\n");
  $("status").textContent = types.length + " types";
}
$("run").addEventListener("click", run);
$("schema").addEventListener("click", schema);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
"""
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphiQL – Inference UI</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<header>
  <h1>Inference UI GraphQL</h1>
  <input id="key" type="password" placeholder="API key: sk_…" aria-label="API key" autocomplete="off">
  <button id="run" title="Ctrl+Enter">Run</button>
  <button id="schema">Schema</button>
</header>
<main>
  <section>
    <label for="query">Query</label>
    <textarea id="query" spellcheck="false">{{
  version
  health {{ status checks {{ binding ok ms }} }}
}}</textarea>
    <label for="variables">Variables</label>
    <textarea id="variables" spellcheck="false">{{}}</textarea>
  </section>
  <section aria-live="polite">
    <label>Answer <span id="status"></span></label>
    <pre id="answer" tabindex="0"></pre>
  </section>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY: Final = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def wants_page(call: Call) -> bool:
    """Tell whether a request comes from a browser's address bar: it asks for HTML, and nothing of GraphQL."""
    return "query=" not in call.url.query and "text/html" in (header(call.request, "accept") or "")


def graphiql_page() -> Response:
    """Return the page."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _POLICY,
        "cache-control": "no-cache",
        "referrer-policy": "no-referrer",
    }
    return Response(_PAGE, status=200, headers=headers)
