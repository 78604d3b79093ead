import { type Command, duration, type Flags, gatewayOf, text, words } from "./flags.ts";
import { print, printJson, UsageError } from "./output.ts";

/** By the words that name them. */
export const TURN_COMMANDS: Readonly<Record<string, Command>> = {
  "turn revoke": { options: { exp: { type: "string" } }, run: revoke },
};

interface Revoked {
  readonly turn_id: string;
  /** Unix seconds. */
  readonly revoked_until: number;
  readonly bridges_ended: number;
}

async function revoke(flags: Flags, positionals: string[]): Promise<void> {
  const [turnId] = words(positionals, "TURN_ID");
  const revoked = await gatewayOf(flags).call(
    "POST",
    "/api/exec-gateway/revoke-turn",
    { turn_id: turnId, exp: expiry(flags) },
    { prefer: "return=representation" },
  ) as Revoked;
  if (flags.json) return printJson({ ...revoked, revoked: true });
  const until = new Date(revoked.revoked_until * 1000).toISOString();
  const ended = revoked.bridges_ended;
  print(`revoked ${turnId} until ${until}, ${ended} bridge${ended === 1 ? "" : "s"} ended`);
  if (ended === 0) {
    print("no bridge of it was up here; check the id if one should have been");
    return;
  }
  print(
    "a command that runs on its executor may go on for up to 90 s (codex 0.142 and later) or 16 s (earlier)",
  );
}

/** Unix seconds, given so or as a duration from now. */
function expiry(flags: Flags): number | undefined {
  const given = text(flags, "exp");
  if (given === undefined) return undefined;
  if (/^\d+$/.test(given)) return Number(given);
  try {
    return Math.floor(Date.now() / 1000) + duration(flags, "exp")!;
  } catch {
    throw new UsageError("--exp must be unix seconds, or a duration such as 2h or 3d");
  }
}
