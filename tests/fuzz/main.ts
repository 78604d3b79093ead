/**
 * `deno task fuzz`: a million inputs, most of them wrong, from tokens to websocket frames. Seeded, so
 * that what has failed once fails again.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- this program speaks on the console
import { runProgram } from "../support/command_line.ts";
import { Bodies } from "./bodies.ts";
import { Frames } from "./frames.ts";
import { Http } from "./http.ts";
import { LiveGateway } from "./live.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { Paths } from "./paths.ts";
import { Failure, fuzz, type Tally } from "./run.ts";
import { Sockets } from "./sockets.ts";
import { Broken, type Target } from "./target.ts";
import { TicketTarget } from "./tickets.ts";
import { Tokens } from "./tokens.ts";
import { details } from "./uncaught.ts";

if (import.meta.main) {
  Deno.exit(await runProgram(Deno.args, { readOptions, usage: USAGE, run: main }));
}

async function main(options: Options): Promise<number> {
  console.log(`seed ${options.seed}, ${options.inputs} inputs`);
  return await run(options);
}

async function run({ only, ...options }: Options): Promise<number> {
  await using live = await LiveGateway.start();
  await using sockets = await Sockets.make(live);
  const all = [
    new Frames(),
    new Paths(),
    new Tokens(),
    await TicketTarget.make(),
    new Bodies(),
    new Http(live),
    sockets,
  ] as unknown as Target<unknown>[];
  const targets = all.filter(({ name }) => only === undefined || name === only);
  if (targets.length === 0) {
    console.error(`there is no target ${only}\n\n${USAGE}`);
    return 2;
  }
  const startedAt = performance.now();
  try {
    const onProgress = (inputs: number) => {
      if (Deno.stdout.isTerminal()) Deno.stdout.writeSync(new TextEncoder().encode(`${inputs}\r`));
    };
    const tallies = await fuzz({ ...options, targets, onProgress });
    report(tallies, options.seed, (performance.now() - startedAt) / 1_000);
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    reportFailure(error, options.seed);
    return 1;
  }
}

function report(tallies: readonly Tally[], seed: number, seconds: number): void {
  for (const { name, inputs, seconds } of tallies) {
    const rate = Math.round(inputs / Math.max(seconds, 0.001));
    console.log(
      `${name.padEnd(8)} ${String(inputs).padStart(8)} inputs ${
        seconds.toFixed(1).padStart(6)
      } s ` +
        `${String(rate).padStart(7)}/s`,
    );
  }
  const total = tallies.reduce((sum, { inputs }) => sum + inputs, 0);
  const where = tallies.map(({ name, inputs }) => `${name} ${inputs}`).join(", ");
  console.log(
    `seed ${seed}: ${total} inputs in ${seconds.toFixed(1)} s, no promise broken (${where})`,
  );
}

function reportFailure({ target, index, inputs, cause }: Failure, seed: number): void {
  console.error(`\nFAILED: ${cause instanceof Broken ? cause.message : details(cause)}`);
  console.error(`seed ${seed}, target ${target}, index ${index}`);
  if (inputs.length > 1) console.error(`one of these ${inputs.length} inputs, the first ${index}:`);
  for (const [i, input] of inputs.entries()) console.error(`  ${index + i}: ${input}`);
  const again = `deno task fuzz --seed ${seed}`;
  console.error(`again: ${again} --only ${target} --from ${index} --inputs ${inputs.length}`);
  console.error(`or, where it takes what came before: ${again}`);
}
