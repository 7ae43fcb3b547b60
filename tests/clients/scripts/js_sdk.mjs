import { InferenceClient } from "@inference-ui/js";
import { run } from "./harness.mjs";
import { sdkCases } from "./sdk_calls.mjs";

run(sdkCases((config) => new InferenceClient(config)));
