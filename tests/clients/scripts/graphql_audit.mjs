import { auditServer } from "graphql-http";
import { key, run, url } from "./harness.mjs";

/** Ask with a key, as clients of a protected endpoint do. */
const withKey = (input, init) => fetch(input, { ...init, headers: { ...init?.headers, authorization: `Bearer ${key}` } });

async function audit(fetchFn) {
  const results = await auditServer({ url: `${url}/graphql`, fetchFn });
  return results.map((result) => ({ name: result.name, status: result.status, reason: result.reason ?? null }));
}

run({ withKey: () => audit(withKey), withoutKey: () => audit(fetch) });
