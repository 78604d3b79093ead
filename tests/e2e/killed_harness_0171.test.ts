import { killedHarnessScenarios } from "./support/killed_harness.ts";

killedHarnessScenarios(({ executor }) => executor === "0.171.0");
