import { TextLineStream } from "./lines.ts";
import { buildGo } from "./tools.ts";

/** A harness's websocket, and the stream that it claims. */
export interface HarnessEnd {
  readonly url: string;
  readonly stream: string;
}

/** The two sides of the bridges through a target. Behind a proxy there are no executors to dial. */
export interface Ends {
  readonly executors: readonly string[];
  readonly harnesses: readonly HarnessEnd[];
}

/** What is sent, and for how long. */
export interface Load {
  readonly bytes: number;
  readonly text: boolean;
  /** Messages of one bridge that are under way at once. */
  readonly inFlight: number;
  readonly milliseconds: number;
}

/** What a measurement found. CPU and memory are the target's. */
export interface Figures {
  readonly roundTrips: number;
  readonly seconds: number;
  /** User and system together, to the nanosecond. */
  readonly cpuSeconds: number;
  /** To a hundredth of a second. */
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  /** The peak of the resident memory while it ran. */
  readonly peakBytes: number;
  /** What the load itself cost. */
  readonly loadCpuSeconds: number;
}

/** What an executor registers with before it dials in. */
export interface Registration {
  readonly url: string;
  readonly token: string;
  readonly body: string;
}

/** What became of peers that came at once; each had one try. */
export interface Arrivals {
  /** Until the last of them was there. */
  readonly seconds: number;
  readonly p99Seconds: number;
  readonly slowestSeconds: number;
}

/** The program in bench/load, which dials both sides of every bridge and measures. */
export class LoadGenerator implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #commands: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;
  /** Where its echo server listens: a host and a port. */
  readonly echo: string;

  private constructor(
    child: Deno.ChildProcess,
    answers: ReadableStreamDefaultReader<string>,
    echo: string,
  ) {
    this.#child = child;
    this.#commands = child.stdin.getWriter();
    this.#answers = answers;
    this.echo = echo;
  }

  /** Compiles and starts it. */
  static async start(): Promise<LoadGenerator> {
    const child = new Deno.Command(await buildGo("load"), {
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const answers = child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
    const { value } = await answers.read();
    return new LoadGenerator(child, answers, JSON.parse(value!).echo);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Opens the bridges of a group; resolves when each has carried a message. */
  async open(group: string, { executors, harnesses }: Ends): Promise<void> {
    await this.#ask({ do: "open", group, executors, harnesses });
  }

  /** Sends on all of a group's bridges for a while, and waits for what is under way then. */
  async measure(group: string, pid: number, load: Load): Promise<Figures> {
    return await this.#ask({ do: "measure", group, pid, ...load }) as Figures;
  }

  /** Has executors register and dial in, all at once; fails when one is refused. */
  async register(group: string, registrations: readonly Registration[]): Promise<Arrivals> {
    return await this.#ask({ do: "register", group, registrations }) as Arrivals;
  }

  /** Dials bridges, so many at once; fails when one is refused. */
  async connect(
    group: string,
    harnesses: readonly HarnessEnd[],
    atOnce: number,
  ): Promise<Arrivals> {
    return await this.#ask({ do: "connect", group, harnesses, atOnce }) as Arrivals;
  }

  /** Closes the bridges of a group. */
  async close(group: string): Promise<void> {
    await this.#ask({ do: "close", group });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commands.close();
    await this.#child.status;
  }

  async #ask(command: object): Promise<unknown> {
    await this.#commands.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
    const { value } = await this.#answers.read();
    const { figures, error } = JSON.parse(value ?? '{"error":"the load generator ended"}');
    if (error !== undefined) throw new Error(error);
    return figures;
  }
}
