// Starts the page: theme, key, health, and its three parts.

import { ApiError, apiKey, graphql, onKeyChange, setApiKey } from "./api.js";
import { Chat } from "./chat.js";
import { Dashboard } from "./dashboard.js";
import { byId, h, setText } from "./dom.js";
import { Events } from "./events.js";
import { Live } from "./live.js";

const HEALTH_MS = 15_000;
// The key of the demo tenant that `make dev` stores in the local database. It opens nothing elsewhere.
const DEMO_KEY = "sk_test_LocalDemoKeyNotForProductionUse0";
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];
const THEME = "inference-ui-theme";

const events = new Events();
const dashboard = new Dashboard();
const chat = new Chat({
  track: (name, properties) => events.track(name, properties),
  measured: (figures) => dashboard.measured(figures),
});
const eventsNote = byId("events-note").textContent;
new Live({ seen: (event) => events.seen(event), told: (line) => setText(byId("events-note"), line ?? eventsNote) });
startTheme();
startKey();
startHealth();
events.track("screen_view", { screen: "demo", component: "Page" });
addEventListener("error", (event) => events.track("error", { component: "Page", message: event.message }));
if (matchMedia("(hover: hover) and (min-width: 60rem)").matches) chat.prompt.focus({ preventScroll: true });

// ---- theme ----

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const label = () => byId("theme").setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
  const stored = localStorage.getItem(THEME);
  if (stored) document.documentElement.dataset.theme = stored;
  label();
  system.addEventListener("change", label);
  byId("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(THEME, theme);
    label();
    events.track("button_press", { component: "Theme", button: theme });
  });
}

// ---- API key ----

function startKey() {
  const dialog = byId("key-dialog");
  const input = byId("key-input");
  const problem = byId("key-problem");
  const close = () => dialog.close();
  byId("identity").addEventListener("click", () => {
    input.value = apiKey();
    problem.textContent = "";
    byId("key-remove").hidden = !apiKey();
    dialog.showModal();
  });
  byId("key-cancel").addEventListener("click", close);
  byId("key-remove").addEventListener("click", () => {
    setApiKey("");
    close();
  });
  const use = async (key) => {
    problem.textContent = key ? "" : "Enter a key, or be anonymous.";
    if (!key) return;
    byId("key-save").disabled = true;
    try {
      setIdentity(await whoIs(key));
      setApiKey(key);
      close();
    } catch (error) {
      problem.textContent = error.status === 401 ? "This key is not known, or no longer valid." : error.message;
    } finally {
      byId("key-save").disabled = false;
    }
  };
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    use(input.value.trim());
  });
  byId("key-demo").hidden = !LOCAL.includes(location.hostname);
  byId("key-demo").addEventListener("click", () => use(DEMO_KEY));
  onKeyChange((key) => key || setIdentity(null));
  if (apiKey()) {
    whoIs(apiKey()).then(setIdentity, (error) => {
      if (error instanceof ApiError && error.status === 401) setApiKey("");
    });
  }
}

/** Return `{email, tier}` of a key's owner. */
async function whoIs(key) {
  const { me } = await graphql("{ me { email tier } }", {}, { withKey: key });
  if (!me) throw new ApiError("This key belongs to nobody.", 401);
  return me;
}

function setIdentity(me) {
  setText(byId("identity"), me ? `${me.email} (${me.tier.toLowerCase()})` : "Anonymous");
}

// ---- health ----

function startHealth() {
  byId("health").addEventListener("click", () => byId("health-dialog").showModal());
  showHealth();
  setInterval(() => document.hidden || showHealth(), HEALTH_MS);
}

async function showHealth() {
  let health = { status: "unreachable", checks: {} };
  try {
    health = await (await fetch("/health", { cache: "no-store" })).json();
  } catch {
    // Shown as unreachable.
  }
  const broken = Object.entries(health.checks ?? {}).filter(([, check]) => !check.ok);
  const words = { healthy: "Healthy", unhealthy: `${broken.length} broken` };
  byId("health").dataset.state = health.status;
  setText(byId("health-text"), words[health.status] ?? "Unreachable");
  if (health.version) setText(byId("foot-version"), `Inference UI API ${health.version}`);
  byId("checks").replaceChildren(
    ...Object.entries(health.checks ?? {}).map(([name, check]) =>
      h("li", { dataset: { ok: check.ok } }, h("code", {}, name), h("span", {}, check.ok ? `works, ${check.ms} ms` : (check.error ?? "does not work"))),
    ),
  );
}
