// Every method of the two SDKs, which have the same ones.

import { failure, key, url, wanted } from "./harness.mjs";

/** @param open makes a client from a configuration. */
export function sdkCases(open) {
  const client = open({ apiUrl: url, apiKey: key });
  const events = [1, 2, 3].map((number) => ({
    id: `${wanted}-${process.pid}-${number}`,
    event: "sdk_event",
    component: "Sdk",
    userId: `sdk-user-${process.pid}`,
    sessionId: `sdk-session-${process.pid}`,
    timestamp: Date.now(),
    data: { number },
  }));
  return {
    user: () => client.getCurrentUser(),
    usage: () => client.getUsageMetrics(),
    async keys() {
      const made = await client.createApiKey({ name: "from the SDK", expiresInDays: 30 });
      const works = await open({ apiUrl: url, apiKey: made.apiKey }).getCurrentUser();
      const listed = (await client.listApiKeys()).find((one) => one.keyPrefix === made.keyPrefix);
      const revoked = await client.revokeApiKey(made.keyPrefix);
      const after = await failure(() => open({ apiUrl: url, apiKey: made.apiKey }).getCurrentUser());
      return { made, works, listed, revoked, after };
    },
    async flows() {
      const steps = [{ id: "one", component: "Form", props: { title: "Hé" } }, { id: "two", component: "Done" }];
      const made = await client.createFlow("onboarding", steps);
      const got = await client.getFlow(made.id);
      const all = (await client.getFlows()).map((flow) => flow.id);
      const deleted = await client.deleteFlow(made.id);
      const after = (await client.getFlows()).map((flow) => flow.id);
      return { steps, made, got, isListed: all.includes(made.id), deleted, isListedAfter: after.includes(made.id) };
    },
    async events() {
      await client.trackEvents(events);
      await client.trackEvents(events); // a client that sends again after a lost answer
      await client.trackEvent({ ...events[0], id: `${events[0].id}-single` });
      const query = { userId: events[0].userId, startDate: Date.now() - 60_000, endDate: Date.now() + 60_000 };
      const all = await client.queryAnalytics({ ...query, metrics: ["events", "users", "sessions"], groupBy: "event" });
      return all;
    },
    wrongKey: () => failure(() => open({ apiUrl: url, apiKey: `sk_live_${"x".repeat(32)}` }).getCurrentUser()),
    badFlow: () => failure(() => client.createFlow("", [])),
  };
}
