import { type Command, type Flags, gatewayOf, words } from "./flags.ts";
import { print, printJson } from "./output.ts";

/** By the words that name them. */
export const WORKSPACE_COMMANDS: Readonly<Record<string, Command>> = {
  "workspace revoke": { options: {}, run: revoke },
};

interface Revoked {
  readonly workspace_id: string;
  /** Unix seconds. */
  readonly issued_until: number;
  readonly bridges_ended: number;
}

async function revoke(flags: Flags, positionals: string[]): Promise<void> {
  const [workspaceId] = words(positionals, "WORKSPACE_ID");
  const revoked = await gatewayOf(flags).call(
    "POST",
    "/api/exec-gateway/revoke-workspace",
    { workspace_id: workspaceId },
    { prefer: "return=representation" },
  ) as Revoked;
  if (flags.json) return printJson({ ...revoked, revoked: true });
  const until = new Date(revoked.issued_until * 1000).toISOString();
  const ended = revoked.bridges_ended;
  print(
    `revoked the tokens of ${workspaceId} that were issued until ${until}, ${ended} bridge${
      ended === 1 ? "" : "s"
    } ended here
tokens that are issued from now on are good; its executors stay bound (executor unbind)`,
  );
}
