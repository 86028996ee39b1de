import type { Metric, Row, SubjectName, TransportName, Verdict } from "./bench_result.ts";
import type { Settings } from "./settings.ts";
import type { Work } from "./subjects.ts";

/** What one run found out about one case. */
export interface Measurement {
  readonly case: string;
  /** The case's number, where the cases are points of a curve. */
  readonly x?: number;
  readonly values: Readonly<Record<string, number>>;
  /** What went wrong although there are figures, such as lost messages. */
  readonly problems?: readonly string[];
}

/** One question, and how it is answered. */
export interface Scenario {
  /** Its name on the command line. */
  readonly name: string;
  /** What people read above its tables. */
  readonly title: string;
  /** The question, and what is done to answer it. */
  readonly question: string;
  readonly metrics: readonly Metric[];
  /** What is asked of the subjects: who cannot do it is skipped. */
  readonly work: Work;
  /** Who is measured, in this order. */
  readonly subjects: readonly SubjectName[];
  /** On which transports. */
  readonly transports: readonly TransportName[];
  /** Why a subject is left out although it could, or null. */
  lacks?(subject: SubjectName): string | null;
  /** Measures one subject once, each time with new processes. */
  run(settings: Settings, subject: SubjectName, transport: TransportName): Promise<Measurement[]>;
  /** What is to be said about the figures. */
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

/** Everything, what is next to each other in the tables first. */
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

/** A whole number with its thousands apart. */
export function grouped(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

/** A number of things. */
export function counted(count: number, thing: string): string {
  return `${grouped(count)} ${thing}${count === 1 ? "" : "s"}`;
}
