/**
 * The last step of `deno task test`: no secret that the suite used is in what its gateways logged.
 *
 * @module
 */
import assert from "node:assert/strict";
import { EVIDENCE_DIR, type UsedSecret } from "../support/evidence.ts";
import { SecretFinder } from "./find_secrets.ts";

const lines = await read("log-");
const used: UsedSecret[] = (await read("secrets-")).map((line) => JSON.parse(line));
const finder = new SecretFinder(used.map(({ secret }) => secret));

Deno.test("the suite has logged, and noted every kind of secret", () => {
  const messages = ["executor created", "executor connected", "bridge opened", "turn revoked"];
  for (const message of messages) {
    const count = lines.filter((line) => line.includes(`"message":"${message}"`)).length;
    assert.ok(count >= 5, `${count} lines say "${message}"`);
  }
  const kinds = Map.groupBy(used, ({ kind }) => kind);
  const all = [
    "configured",
    "registration token",
    "capability token",
    "ticket",
    "secret access key",
  ] as const;
  for (const kind of all) {
    const count = new Set(kinds.get(kind)?.map(({ secret }) => secret)).size;
    assert.ok(count >= 3, `${count} of the kind ${kind}`);
  }
});

Deno.test("no line has a secret", () => {
  const found = finder.find(lines);
  // Cut out, so that the failed test does not print it.
  const shown = found.slice(0, 5).map(({ line, secret }) => line.replaceAll(secret, "<SECRET>"));
  assert.equal(found.length, 0, `${found.length} found, in:\n${shown.join("\n")}`);
});

Deno.test("each secret would be found, wherever it stood in a line", () => {
  for (const { secret } of used) {
    for (const line of [secret, `{"url":"ws://h/x?token=${secret}"}`, `Bearer ${secret}`]) {
      assert.ok(finder.find([line]).some((leak) => leak.secret === secret));
    }
  }
  const planted = lines.toSpliced(lines.length >> 1, 0, `{"message":"x","t":"${used[0]!.secret}"}`);
  // One secret may hold another one.
  const found = new Set(finder.find(planted).map(({ line }) => line));
  assert.equal(found.size, 1, "and one among all that was logged");
});

/** The lines of the files whose names begin so. */
async function read(prefix: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { name } of Deno.readDir(EVIDENCE_DIR)) {
    if (!name.startsWith(prefix)) continue;
    const text = await Deno.readTextFile(new URL(name, EVIDENCE_DIR));
    lines.push(...text.split("\n").filter((line) => line !== ""));
  }
  return lines;
}
