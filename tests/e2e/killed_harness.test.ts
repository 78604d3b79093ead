import { killedHarnessScenario } from "./support/killed_harness.ts";
import { PAIRS } from "./support/releases.ts";

for (const pair of PAIRS) {
  if (pair.executor !== "0.169.0") killedHarnessScenario(pair);
}
