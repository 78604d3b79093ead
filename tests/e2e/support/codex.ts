/** Real codex clients for the end-to-end tests: one import for both sides. */

export { type ExecutorOptions, startExecutor, startExecutorByLine } from "./executor.ts";
export { runTurn, startTurn, type Turn, type TurnOptions, type TurnResult } from "./harness.ts";
export type { Command, CommandResult, Step } from "./model_server.ts";
export { type CapturedProcess, type Exit, spawnCaptured } from "./process.ts";
