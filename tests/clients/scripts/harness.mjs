// What every script needs: where the server is, and one line of JSON as its result.

export const url = process.env.API_URL;
export const key = process.env.API_KEY;
/** The case to run, of those that the script has. */
export const wanted = process.argv[2];

/** Run the wanted case and print what it returns. */
export function run(cases) {
  const found = cases[wanted];
  if (!found) throw new Error(`no case ${wanted}; there are ${Object.keys(cases).join(", ")}`);
  found().then(
    (value) => process.stdout.write(`${JSON.stringify(value)}\n`, () => process.exit(0)),
    (error) => {
      process.stderr.write(`${error.stack ?? error}\n`, () => process.exit(1));
    },
  );
}

/** Return the error that a call fails with, as text. */
export async function failure(call) {
  try {
    await call();
  } catch (error) {
    return String(error.message);
  }
  throw new Error("it did not fail");
}

/** Wait until a condition holds. */
export async function until(holds, what, timeoutMs = 120_000) {
  const deadline = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
