/** A server and a client of one subject, and the cases measured with them. */
import { readFileSync } from "node:fs";
import { pause } from "../../test/support/until.ts";
import type { ClientFigures, ProgramStats } from "../peer/protocol.ts";
import { type SubjectName, subjectTitles, type TransportName } from "./bench_result.ts";
import { PeerProcess } from "./peer_process.ts";
import type { Settings } from "./settings.ts";
import { type ProgramArguments, subjects, type Work } from "./subjects.ts";
import { rememberVersion } from "./versions.ts";

/** Time that programs may take beyond the measurement. */
export const patienceMs = 20_000;

/** The results of one case. */
export interface CaseFigures extends ClientFigures {
  /** Processor time of the server, and of the broker if any. */
  readonly serverCpuUs: number;
  /** One-way messages a second, counted by the receiver. */
  readonly receivedRate: number;
  /** One-way messages that did not arrive in time. */
  readonly lost: number;
}

/** Options of a pair. */
export interface PairOptions {
  readonly transport: TransportName;
  readonly work?: Work;
  readonly server?: ProgramArguments;
  readonly client?: ProgramArguments;
}

/** A running server, with its broker. */
export class RunningServer implements AsyncDisposable {
  readonly endpoints: readonly string[];
  readonly process: PeerProcess;
  readonly #broker: PeerProcess | null;

  private constructor(process: PeerProcess, broker: PeerProcess | null, endpoints: readonly string[]) {
    this.process = process;
    this.#broker = broker;
    this.endpoints = endpoints;
  }

  /** Starts a subject's server and waits until it listens. */
  static async start(
    settings: Settings,
    name: SubjectName,
    options: PairOptions,
  ): Promise<RunningServer> {
    const subject = subjects[name];
    const endpoint = await subject.endpoint(options.transport, settings);
    const command = await subject.server(options.work ?? "calls", { endpoint, ...options.server });
    const broker = await subject.broker?.(endpoint) ?? null;
    const process = new PeerProcess(`${subjectTitles[name]}: the server`, command);
    try {
      const { endpoints, library } = await process.hear("ready", patienceMs);
      if (library !== undefined) rememberVersion(name, library);
      return new RunningServer(process, broker, endpoints);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      await broker?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Its counters so far, with the broker's processor time. */
  async stats(command: "stats" | "reset" = "stats"): Promise<ProgramStats> {
    const stats = await this.process.ask(command, "stats");
    const brokerUs = this.#broker === null ? 0 : processorTimeUs(this.#broker.pid);
    return { ...stats, cpuUs: stats.cpuUs + brokerUs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    await this.#broker?.[Symbol.asyncDispose]();
  }
}

/** Starts a subject's client for a server. */
export async function startClient(
  settings: Settings,
  name: SubjectName,
  server: RunningServer,
  options: PairOptions,
): Promise<PeerProcess> {
  const { ms, warmMs } = settings;
  const args = { endpoints: server.endpoints.join(","), ms, warmMs, ...options.client };
  const command = await subjects[name].client(options.work ?? "calls", args);
  return new PeerProcess(`${subjectTitles[name]}: the client`, command);
}

/** Measures cases one after another with one pair of processes. */
export async function measurePair(
  settings: Settings,
  name: SubjectName,
  cases: readonly string[],
  options: PairOptions,
): Promise<CaseFigures[]> {
  await using server = await RunningServer.start(settings, name, options);
  return await measureAgainst(settings, name, server, cases, options);
}

/** The same with a running server. */
export async function measureAgainst(
  settings: Settings,
  name: SubjectName,
  server: RunningServer,
  cases: readonly string[],
  options: PairOptions,
): Promise<CaseFigures[]> {
  const client = { cases: cases.join(","), ...options.client };
  await using caller = await startClient(settings, name, server, { ...options, client });
  const figures: CaseFigures[] = [];
  for (const _ of cases) figures.push(await measureCase(settings, server, caller));
  return figures;
}

async function measureCase(
  settings: Settings,
  server: RunningServer,
  client: PeerProcess,
): Promise<CaseFigures> {
  await server.stats("reset");
  const { sent } = await client.ask("warm", "warm", settings.warmMs + patienceMs);
  await allReceived(server, sent);
  const before = await server.stats("reset");
  const result = await client.ask("go", "result", settings.ms + patienceMs);
  const after = sent > 0 ? await allReceived(server, result.n) : await server.stats();
  return {
    ...result,
    serverCpuUs: after.cpuUs - before.cpuUs,
    receivedRate: after.rate,
    lost: sent > 0 ? result.n - after.received : 0,
  };
}

/** Waits until the server has counted this many messages, or its count stops. */
async function allReceived(server: RunningServer, count: number): Promise<ProgramStats> {
  const quietMs = 2_000;
  let stats = await server.stats();
  for (let changed = performance.now(); stats.received < count;) {
    await pause(20);
    const now = await server.stats();
    if (now.received !== stats.received) changed = performance.now();
    stats = now;
    if (performance.now() - changed > quietMs) break;
  }
  return stats;
}

/** A process's user and system time, from `/proc`; 0 without it. */
function processorTimeUs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    // The unit is 10 ms on every current Linux.
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return 0;
  }
}
