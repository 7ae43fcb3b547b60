import { InferenceUIClient } from "@inference-ui/node";
import { run } from "./harness.mjs";
import { sdkCases } from "./sdk_calls.mjs";

run(sdkCases((config) => new InferenceUIClient(config)));
