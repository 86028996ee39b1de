/** What a run of the benchmark leaves behind as JSON. */

/** The runtimes that the library is measured on; `mixed` is Bun calling Deno. */
export const ours = ["bun", "deno", "mixed"] as const;
/** What it is compared with. */
export const baselines = ["c", "zeromq", "nats", "grpc", "http"] as const;

/** Something measured. */
export type SubjectName = typeof ours[number] | typeof baselines[number];

/** How the two processes are connected. */
export type TransportName = "tcp" | "ipc";

/** What people read for a subject. */
export const subjectTitles: Readonly<Record<SubjectName, string>> = {
  bun: "Bun",
  deno: "Deno",
  mixed: "Bun → Deno",
  c: "C libzmq",
  zeromq: "zeromq, Node",
  nats: "NATS, Bun",
  grpc: "gRPC, Node",
  http: "HTTP, Bun",
};

/** Something that is measured of a subject. */
export interface Metric {
  /** Its name in the JSON. */
  readonly key: string;
  /** What people read. */
  readonly title: string;
  /** Its unit; empty for a plain number. */
  readonly unit: string;
  /** Which values are good. */
  readonly better: "higher" | "lower";
  /** Whether the subjects are divided by the baselines. */
  readonly compared: boolean;
}

/** One metric over all rounds. */
export interface Series {
  readonly median: number;
  readonly rounds: readonly number[];
}

/** One case of a scenario, on one transport, of one subject. */
export interface Row {
  /** What varies inside the scenario, such as `64 in flight`. */
  readonly case: string;
  /** Its number, where the cases are points of a curve. */
  readonly x?: number;
  readonly transport: TransportName;
  readonly subject: SubjectName;
  readonly metrics: Readonly<Record<string, Series>>;
  /** For each compared metric, the median divided by that of each baseline; for our subjects only. */
  readonly ratios?: Readonly<Record<string, Readonly<Partial<Record<SubjectName, number>>>>>;
}

/** A sentence that a scenario says about its figures, and whether that is as it should be. */
export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

/** Something that could not be measured, and why. */
export interface Skipped {
  readonly subject: SubjectName;
  readonly reason: string;
}

/** One scenario. */
export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  readonly metrics: readonly Metric[];
  readonly rows: readonly Row[];
  readonly skipped: readonly Skipped[];
  /** Runs that failed, and messages that were lost. */
  readonly problems: readonly string[];
  readonly verdicts: readonly Verdict[];
  readonly tookSeconds: number;
}

/** The machine that it was run on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

/** A whole run. */
export interface BenchResult {
  readonly schema: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: { readonly rounds: number; readonly ms: number; readonly quick: boolean };
  readonly scenarios: readonly ScenarioResult[];
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Whether a subject is the library itself. */
export function isOurs(subject: SubjectName): boolean {
  return (ours as readonly string[]).includes(subject);
}
