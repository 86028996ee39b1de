/** A server and a client that measures it, of streams or of actors. */
import { patienceMs } from "./pair.ts";
import { PeerProcess } from "./peer_process.ts";
import type { Settings } from "./settings.ts";
import { actorCommand, streamCommand } from "./subjects.ts";
import { type Row, type SubjectName, subjectTitles, type Verdict } from "./bench_result.ts";

/** Two connected programs. */
export class ProgramPair implements AsyncDisposable {
  readonly #server: PeerProcess;
  readonly #client: PeerProcess;

  private constructor(server: PeerProcess, client: PeerProcess) {
    this.#server = server;
    this.#client = client;
  }

  /** Starts both. */
  static async start(
    { ms }: Settings,
    subject: SubjectName,
    of: "streams" | "actors" = "streams",
  ): Promise<ProgramPair> {
    const command = of === "streams" ? streamCommand : actorCommand;
    const title = subjectTitles[subject];
    const server = new PeerProcess(
      `${title}: the server`,
      command(subject, "server", { endpoint: "tcp://127.0.0.1:0" }),
    );
    try {
      const { endpoints } = await server.hear("ready", patienceMs);
      const args = { endpoints: endpoints.join(","), ms };
      const client = new PeerProcess(`${title}: the client`, command(subject, "client", args));
      const pair = new ProgramPair(server, client);
      await client.hear("ready", patienceMs);
      return pair;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The figures of one of them. */
  async figures(command: string, whose: "client" | "server" = "client"): Promise<Record<string, number>> {
    const program = whose === "client" ? this.#client : this.#server;
    const { values } = await program.ask(command, "figures", 6 * patienceMs);
    return { ...values };
  }

  /** Kills the server. Returns the time. */
  kill(): number {
    this.#server.signal("SIGKILL");
    return Date.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Whether the median of a metric is within its bound, for each row that has it. */
export function bounded(
  rows: readonly Row[],
  key: string,
  what: string,
  { most, least }: { most?: number; least?: number },
): Verdict[] {
  return rows.flatMap((row) => {
    const value = row.metrics[key]?.median;
    if (value === undefined) return [];
    const wanted = most === undefined ? `at least ${least}` : `at most ${most}`;
    return [{
      ok: value <= (most ?? Infinity) && value >= (least ?? -Infinity),
      text: `${subjectTitles[row.subject]}, ${row.case}: ${what} ${value.toFixed(2)} (wanted: ${wanted})`,
    }];
  });
}
