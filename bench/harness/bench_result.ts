/** The JSON result of a benchmark run. */

/** The library's subjects by runtime; `mixed` is Bun calling Deno. */
export const ours = ["bun", "deno", "mixed"] as const;
/** The baselines. */
export const baselines = ["c", "zeromq", "nats", "grpc", "http"] as const;

/** A measured subject. */
export type SubjectName = typeof ours[number] | typeof baselines[number];

/** Connection between the two processes. */
export type TransportName = "tcp" | "ipc";

/** Titles of the subjects. */
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

/** A measured quantity. */
export interface Metric {
  /** Key in the JSON. */
  readonly key: string;
  /** Title for people. */
  readonly title: string;
  /** Its unit; empty for a plain number. */
  readonly unit: string;
  /** Which direction is better. */
  readonly better: "higher" | "lower";
  /** Whether ratios to the baselines are computed. */
  readonly compared: boolean;
}

/** One metric over all rounds. */
export interface Series {
  readonly median: number;
  readonly rounds: readonly number[];
}

/** One case of a scenario, for one transport and subject. */
export interface Row {
  /** The varied condition, such as `64 in flight`. */
  readonly case: string;
  /** Its number, if the cases are points of a curve. */
  readonly x?: number;
  readonly transport: TransportName;
  readonly subject: SubjectName;
  readonly metrics: Readonly<Record<string, Series>>;
  /** For each compared metric, the median divided by that of each baseline; for the library's subjects only. */
  readonly ratios?: Readonly<Record<string, Readonly<Partial<Record<SubjectName, number>>>>>;
}

/** A scenario's statement about its results, and whether they are as expected. */
export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

/** A measurement that was not possible, with the reason. */
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
  /** Failed runs and lost messages. */
  readonly problems: readonly string[];
  readonly verdicts: readonly Verdict[];
  readonly tookSeconds: number;
}

/** The machine of the run. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

/** A complete run. */
export interface BenchResult {
  readonly schema: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: { readonly rounds: number; readonly ms: number; readonly quick: boolean };
  readonly scenarios: readonly ScenarioResult[];
}

/** The median. */
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
