import type { Metric, Row, SubjectName, TransportName, Verdict } from "./bench_result.ts";
import type { Settings } from "./settings.ts";
import type { Work } from "./subjects.ts";

/** The result of one run of a case. */
export interface Measurement {
  readonly case: string;
  /** The case's number, if the cases are points of a curve. */
  readonly x?: number;
  readonly values: Readonly<Record<string, number>>;
  /** Problems besides the numbers, such as lost messages. */
  readonly problems?: readonly string[];
}

/** A question and its measurement. */
export interface Scenario {
  /** Name on the command line. */
  readonly name: string;
  /** Title of its tables. */
  readonly title: string;
  /** The question, and how it is measured. */
  readonly question: string;
  readonly metrics: readonly Metric[];
  /** The work of the subjects; those that cannot do it are skipped. */
  readonly work: Work;
  /** The subjects, in order. */
  readonly subjects: readonly SubjectName[];
  /** The transports. */
  readonly transports: readonly TransportName[];
  /** Why a capable subject is left out, or null. */
  lacks?(subject: SubjectName): string | null;
  /** Measures one subject once, with new processes. */
  run(settings: Settings, subject: SubjectName, transport: TransportName): Promise<Measurement[]>;
  /** Judges the results. */
  judge?(rows: readonly Row[]): Verdict[];
}

/** Calls a second. */
export const callRate: Metric = {
  key: "rate",
  title: "Calls a second",
  unit: "/s",
  better: "higher",
  compared: true,
};

/** All subjects, those that are compared in the tables side by side. */
export const allSubjects: readonly SubjectName[] = [
  "bun",
  "c",
  "deno",
  "mixed",
  "zeromq",
  "nats",
  "grpc",
  "http",
];

/** The library and C. */
export const oursAndC: readonly SubjectName[] = ["bun", "c", "deno", "mixed"];

/** A whole number with separated thousands. */
export function grouped(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

/** A number with its noun. */
export function counted(count: number, thing: string): string {
  return `${grouped(count)} ${thing}${count === 1 ? "" : "s"}`;
}
