import { databases } from "../../tests/support/databases.ts";
import type { Figure } from "../figures.ts";
import { measureConnects } from "./connects.ts";
import { measureIdle } from "./idle.ts";
import { measureReturn } from "./return.ts";

/** What was measured. */
export interface ScaleRun {
  /** When it began, in ISO 8601. */
  readonly at: string;
  readonly database: string;
  readonly figures: readonly Figure[];
}

/** Measures what many executors cost, on PostgreSQL where there is one. */
export async function runScale(quick: boolean, note: (text: string) => void): Promise<ScaleRun> {
  const at = new Date().toISOString();
  const engine = databases.findLast(({ available }) => available)!;
  const figures: Figure[] = [];
  for (
    const [what, measure] of [
      ["idle executors and listings", measureIdle],
      ["executors that return after a restart", measureReturn],
      ["bridge connects", measureConnects],
    ] as const
  ) {
    note(what);
    const database = await engine.create();
    try {
      figures.push(...await measure(database.options, quick));
    } finally {
      await database.dispose();
    }
  }
  return { at, database: engine.name, figures };
}
