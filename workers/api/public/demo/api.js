// Requests to the API worker: the key goes along where there is one; what it answers in error becomes an ApiError.

const STORE = "inference-ui-key";

export class ApiError extends Error {
  /** @param status of HTTP; 0 where there was no answer. @param retryAfterS seconds to wait, or null. */
  constructor(message, status, retryAfterS = null) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

let key = sessionStorage.getItem(STORE) ?? "";
const watchers = new Set();

/** Return the API key; empty for anonymous callers. */
export const apiKey = () => key;

/** Set the key, or be anonymous again with an empty one. */
export function setApiKey(value) {
  key = value;
  if (value) sessionStorage.setItem(STORE, value);
  else sessionStorage.removeItem(STORE);
  for (const tell of watchers) tell(value);
}

/** Call a function whenever the key changes. */
export const onKeyChange = (tell) => watchers.add(tell);

/** Send JSON; returns the response, once its head is there. */
export async function post(path, body, { signal, withKey = key, accept } = {}) {
  const headers = { "content-type": "application/json" };
  if (accept) headers.accept = accept;
  if (withKey) headers.authorization = `Bearer ${withKey}`;
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.", 0);
  }
  if (!response.ok) throw await asError(response);
  return response;
}

/** Ask GraphQL; returns `data`. */
export async function graphql(query, variables = {}, options = {}) {
  const response = await post("/graphql", { query, variables }, { ...options, accept: "application/graphql-response+json" });
  const { data, errors } = await response.json();
  if (errors?.length) throw new ApiError(errors[0].message, response.status);
  return data;
}

/** Open a stream of the key's tenant; returns the response. */
export async function getStream(path, signal) {
  const response = await fetch(path, { headers: { authorization: `Bearer ${key}` }, signal, cache: "no-store" });
  if (!response.ok) throw await asError(response);
  return response;
}

async function asError(response) {
  const text = await response.text();
  let message = `${response.status} ${response.statusText}`;
  try {
    const body = JSON.parse(text);
    message = body.error ?? body.errors?.[0]?.message ?? message;
  } catch {
    // Not JSON: a proxy's page. Its status says enough.
  }
  const wait = Number(response.headers.get("retry-after"));
  return new ApiError(String(message), response.status, wait > 0 ? wait : null);
}
