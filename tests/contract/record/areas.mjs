// What miniflare is told for the areas that need more than one binding a case.
const ENGINE = ["steps.mjs", "decode.mjs", "encode.mjs", "names.mjs"];
const HYPERDRIVE = "postgres://us%20er:p%40ss@127.0.0.1:5432/db_name";
const many = (prefix, count, describe) =>
  Object.fromEntries(Array.from({ length: count }, (_, number) => [`${prefix}__${number}`, describe(number)]));

/** @param tools what makes a module of its file's name, the compatibility settings, the number of cases. */
export const AREAS = {
  do: ({ moduleOf }) => ({
    modules: ["objects.mjs", ...ENGINE].map(moduleOf),
    durableObjects: {
      DO: { className: "Obj", useSQLite: true },
      PLAIN: { className: "Plain", useSQLite: true },
      NOH: { className: "NoHandlers", useSQLite: true },
    },
  }),
  services: ({ moduleOf, compat }) => {
    const worker = (name, more = {}) => {
      const modules = [`service_${name}.mjs`, ...ENGINE].map(moduleOf);
      return { name, modules, ...compat, ...more };
    };
    const serviceBindings = {
      ...{ SVC: "target", OLD: "old", EMPTY: "empty", SELF: "main" },
      NAMED: { name: "target", entrypoint: "Named" },
      NAMED_PROPS: { name: "target", entrypoint: "Named", props: { tenant: "acme", n: [1, 2], deep: { x: null } } },
      SVC_PROPS: { name: "target", props: { p: 1 } },
      NOFETCH: { name: "target", entrypoint: "NoFetch" },
      OBJ: { name: "target", entrypoint: "objEntry" },
      SELF_ENTRY: { name: "main", entrypoint: "SelfEntry" },
    };
    const target = worker("target", { bindings: { TVAR: "x" } });
    return { workers: [worker("main", { serviceBindings }), target, worker("old"), worker("empty")] };
  },
  misc: ({ count }) => ({
    analyticsEngineDatasets: { AE: { dataset: "ds" } },
    ratelimits: {
      ...many("RL", count, () => ({ simple: { limit: 2, period: 10 } })),
      ...many("RLMIN", count, () => ({ simple: { limit: 3, period: 60 } })),
    },
    versionMetadata: "VERSION",
    bindings: { TEXT: "plain", JSONV: { a: [1, null] }, NUM: 5, NULLV: null },
    secretsStoreSecrets: {
      SEC: { store_id: "s1", secret_name: "one" },
      SECMISSING: { store_id: "s1", secret_name: "none" },
    },
    hyperdrives: { HD: HYPERDRIVE, HDMY: "mysql://root:secret@db.example:3307/shop" },
  }),
};

/** What has to be there before the first case. */
export const PREPARE = {
  misc: async (miniflare) => {
    const secrets = await miniflare.getSecretsStoreSecretAPI("SEC");
    await secrets().create("s3cret välue");
  },
};

/** What depends on miniflare's own names, and is a placeholder therefore. */
export const VARYING = { do: [/"[0-9a-f]{64}"/g, '"<hex64>"'] };
