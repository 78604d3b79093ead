/**
 * A disk that is soon full: a file system in memory, of a size that a test chooses.
 *
 * @module
 */
import { databases } from "../../support/databases.ts";

const MIB = 1024 * 1024;

/** A mounted disk. Disposing unmounts it. */
export class SmallDisk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Mounts an empty one. */
  static async mount(mib: number): Promise<SmallDisk> {
    const path = await Deno.makeTempDir({ prefix: "cxg-disk-" });
    await run("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", path]);
    return new SmallDisk(path);
  }

  /** A data directory on it. */
  get dataDir(): string {
    return `${this.path}/data`;
  }

  /** Puts a database that was made before into the data directory. */
  async addDatabase(): Promise<void> {
    const { options, dispose } = await databases.find(({ name }) => name === "embedded")!.create();
    try {
      await run("cp", ["-a", options.dataDir, this.dataDir]);
    } finally {
      await dispose();
    }
  }

  /** Fills it, but for so many bytes. */
  async fill(leaving: number): Promise<void> {
    using filler = await Deno.open(this.#filler, { write: true, create: true });
    let length = 0;
    for (const block of [new Uint8Array(MIB), new Uint8Array(4096)]) {
      try {
        for (;;) length += await filler.write(block);
      } catch (error) {
        if (!/os error 28/.test(String(error))) throw error;
      }
    }
    await filler.truncate(Math.max(0, length - leaving));
  }

  /** Takes away what it was filled with. */
  async makeRoom(): Promise<void> {
    await Deno.remove(this.#filler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [this.path]);
    await Deno.remove(this.path);
  }

  get #filler(): string {
    return `${this.path}/filler`;
  }
}

async function canMount(): Promise<boolean> {
  try {
    await (await SmallDisk.mount(1))[Symbol.asyncDispose]();
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("mount: ")) return false;
    throw error;
  }
}

async function run(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

/** Whether this machine lets us mount one. */
export const smallDiskAvailable: boolean = Deno.build.os === "linux" && Deno.uid() === 0 &&
  await canMount();
