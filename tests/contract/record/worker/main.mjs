// The worker that cases run in: POST /run {number, steps} answers with the results.
export { Flow } from "./flow.mjs";
import { recordSteps, buildScope } from "./steps.mjs";

export default {
  async fetch(request, env, ctx) {
    const { number, steps } = await request.json();
    return Response.json(await recordSteps(steps, buildScope(env, number, { ctx })));
  },
};
