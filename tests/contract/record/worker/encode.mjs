// Values to a result's JSON.
const BIG = 2_048;
const MAX_DEPTH = 12;
const STUBS = new Set([
  ...["Fetcher", "JsRpcStub", "RpcStub", "RpcPromise", "RpcProperty", "JsRpcPromise", "JsRpcProperty"],
  ...["DurableObject", "DurableObjectStub", "WorkerRpc"],
]);
const R2_FIELDS = [
  ...["key", "version", "size", "etag", "httpEtag", "uploaded", "httpMetadata", "customMetadata", "range"],
  ...["storageClass", "ssecKeyMd5"],
];
const URL_FIELDS = [
  ...["href", "origin", "protocol", "username", "password", "host", "port", "pathname", "search", "hash"],
];

const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const sha256 = async (bytes) =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
const pick = (value, names) => Object.fromEntries(names.map((name) => [name, value[name]]));

export async function encodeError(error) {
  const isError = error instanceof Error || (error && typeof error === "object" && "message" in error && "name" in error);
  if (!isError) return { value: await encode(error) };
  const inner = (value) => (value instanceof Error ? encodeError(value) : encode(value));
  const result = { name: error.name, message: error.message };
  if (error instanceof DOMException) result.domException = true;
  if (error.constructor?.name !== error.name) result.class = error.constructor?.name;
  for (const [key, value] of Object.entries(error)) {
    if (!["stack", "name", "message"].includes(key) && value !== undefined) result[key] = await inner(value);
  }
  if (error.cause !== undefined && !("cause" in result)) result.cause = await inner(error.cause);
  return result;
}

export async function encode(value, depth = 0, above = new Set()) {
  if (value === undefined) return { $undef: true };
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return encodeText(value);
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (typeof value === "symbol") return { $symbol: String(value) };
  if (depth > MAX_DEPTH) return { $deep: true };
  const name = value.constructor?.name;
  if (STUBS.has(name)) return { $type: name };
  if (typeof value === "function") return { $function: value.name };
  if (above.has(value)) return { $circularRef: true };
  const inner = (item) => encode(item, depth + 1, new Set(above).add(value));
  return (await encodeData(value, name, inner)) ?? (await encodePlatform(value, inner)) ?? encodeObject(value, name, inner);
}

async function encodeText(text) {
  if (text.length > BIG) {
    const bytes = new TextEncoder().encode(text);
    return { $bigstr: { length: text.length, sha256: await sha256(bytes), head: text.slice(0, 16) } };
  }
  return text.isWellFormed() ? text : { $lone: [...text].map((character) => character.codePointAt(0)) };
}

function encodeNumber(value) {
  if (Object.is(value, -0)) return { $num: "-0" };
  return Number.isFinite(value) ? value : { $num: String(value) };
}

async function encodeAll(items, encodeOne) {
  const results = [];
  for (const item of items) results.push(await encodeOne(item));
  return results;
}

async function encodeData(value, name, inner) {
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? "Invalid" : value.toISOString() };
  if (value instanceof ArrayBuffer) return encodeBytes(new Uint8Array(value), "ab");
  if (value instanceof Uint8Array) return encodeBytes(value, "u8");
  if (ArrayBuffer.isView(value)) {
    return { [`$${name}`]: toBase64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
  }
  if (Array.isArray(value)) return encodeAll(value, inner);
  const encodePair = async ([key, item]) => [await inner(key), await inner(item)];
  if (value instanceof Map) return { $map: await encodeAll(value, encodePair) };
  if (value instanceof Set) return { $set: await encodeAll(value, inner) };
  if (value instanceof RegExp) return { $regexp: String(value) };
  if (value instanceof Error) return { $error: await encodeError(value) };
  return undefined;
}

async function encodeBytes(bytes, kind) {
  if (bytes.byteLength > BIG) return { [`$big${kind}`]: { length: bytes.byteLength, sha256: await sha256(bytes) } };
  return { [`$${kind}`]: toBase64(bytes) };
}

async function encodePlatform(value, inner) {
  if (value instanceof Headers) return { $type: "Headers", entries: [...value], setCookie: value.getSetCookie() };
  if (value instanceof Response) return encodeResponse(value);
  if (value instanceof Request) {
    const shown = { $type: "Request", ...pick(value, ["method", "url"]), headers: [...value.headers] };
    return { ...shown, hasBody: value.body !== null, ...pick(value, ["bodyUsed", "redirect"]) };
  }
  if (value instanceof URL) return { $type: "URL", ...pick(value, URL_FIELDS) };
  if (value instanceof URLSearchParams) return { $type: "URLSearchParams", entries: [...value], string: String(value) };
  if (value instanceof FormData) {
    return { $type: "FormData", entries: await encodeAll(value, async ([key, item]) => [key, await inner(item)]) };
  }
  if (value instanceof File) return { $type: "File", ...pick(value, ["name", "type", "size"]), text: await value.text() };
  if (value instanceof Blob) return { $type: "Blob", ...pick(value, ["type", "size"]), text: await value.text() };
  if (value instanceof ReadableStream) return { $type: "ReadableStream", locked: value.locked };
  if (value.constructor?.name === "DurableObjectId") {
    return { $type: "DurableObjectId", id: String(value), name: await inner(value.name) };
  }
  if ("httpEtag" in value && "checksums" in value) return encodeR2Object(value, inner);
  if ("uploadId" in value && typeof value.complete === "function") {
    return { $type: "R2MultipartUpload", ...pick(value, ["key", "uploadId"]) };
  }
  return undefined;
}

function encodeResponse(response) {
  const shown = { $type: "Response", ...pick(response, ["status", "statusText", "ok"]), headers: [...response.headers] };
  Object.assign(shown, { hasBody: response.body !== null, bodyUsed: response.bodyUsed });
  if (response.redirected) shown.redirected = true;
  if (response.url) shown.url = response.url;
  if (response.webSocket) shown.webSocket = true;
  return shown;
}

async function encodeR2Object(object, inner) {
  const shown = { $type: "body" in object ? "R2ObjectBody" : "R2Object" };
  for (const name of R2_FIELDS) {
    let field;
    try {
      field = object[name];
    } catch (error) {
      field = { threw: error.message };
    }
    if (field !== undefined) shown[name] = await inner(field);
  }
  shown.checksums = object.checksums.toJSON();
  if ("body" in object) shown.bodyUsed = object.bodyUsed;
  return shown;
}

async function encodeObject(value, name, inner) {
  const shown = name && name !== "Object" ? { $type: name } : {};
  for (const key of Object.keys(value)) shown[key.startsWith("$") ? `\\${key}` : key] = await inner(value[key]);
  if (!name || name === "Object" || Object.keys(shown).length > 1) return shown;
  // An object of the runtime with accessors only: those whose values are simple.
  for (let type = Object.getPrototypeOf(value); type && type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (!get || key in shown) continue;
      try {
        const field = get.call(value);
        if (field === null || ["string", "number", "boolean", "undefined"].includes(typeof field)) {
          shown[key] = await inner(field);
        }
      } catch {
        continue;
      }
    }
  }
  return shown;
}
