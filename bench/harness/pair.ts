/** Two processes of one subject, connected, and the cases that are measured with them. */
import { readFileSync } from "node:fs";
import { pause } from "../../test/support/until.ts";
import type { ClientFigures, ProgramStats } from "../peer/protocol.ts";
import { type SubjectName, subjectTitles, type TransportName } from "./bench_result.ts";
import { PeerProcess } from "./peer_process.ts";
import type { Settings } from "./settings.ts";
import { type ProgramArguments, subjects, type Work } from "./subjects.ts";
import { rememberVersion } from "./versions.ts";

/** How long programs may take to start, beyond what they are told to measure. */
export const patienceMs = 20_000;

/** What was measured in one case. */
export interface CaseFigures extends ClientFigures {
  /** Processor time of the server, and of the broker if there is one. */
  readonly serverCpuUs: number;
  /** One-way messages a second, counted by the receiver. */
  readonly receivedRate: number;
  /** One-way messages that did not arrive within the time given. */
  readonly lost: number;
}

/** What a pair is asked to do. */
export interface PairOptions {
  readonly transport: TransportName;
  readonly work?: Work;
  readonly server?: ProgramArguments;
  readonly client?: ProgramArguments;
}

/** A server that runs, with its broker. */
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

  /** What it used and counted so far, the broker's processor time included. */
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

/** The same with a server that runs already. */
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

/** Waits until the server has counted so many messages, or counts no more of them. */
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

/** A process' user and system time, from `/proc`; 0 where there is none. */
function processorTimeUs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    // In ticks of 10 ms, on every Linux of today.
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return 0;
  }
}
