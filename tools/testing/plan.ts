import { readdirSync } from "node:fs";
import {
  repositoryRoot,
  type RuntimeName,
  runtimeProgram,
  testPermissions,
} from "../../test/support/runtime.ts";

/** A ring of tests: a folder under `test/`, with its runtimes. */
export interface Ring {
  /** The folder's name. */
  readonly name: string;
  /** Runtimes of its files. */
  readonly runtimes: readonly RuntimeName[];
  /** Whether one runtime suffices except in long runs, because the files start their programs on both. */
  readonly once?: boolean;
}

/**
 * The rings, in the order in which their files begin. Rings of long files come before `conformance`, whose short ones
 * then fill the lanes.
 */
export const rings: readonly Ring[] = [
  { name: "unit", runtimes: ["bun"] },
  { name: "programs", runtimes: ["bun", "deno"], once: true },
  { name: "process", runtimes: ["bun", "deno"] },
  { name: "deno", runtimes: ["deno"] },
  { name: "interop", runtimes: ["bun", "deno"] },
  { name: "conformance", runtimes: ["bun", "deno"] },
];

/**
 * The files of `conformance` that `--quick` adds to `unit`: the main behaviour of each area, in files of a second or
 * two. The run ends within two minutes on two cores.
 */
export const quickFiles: readonly string[] = [
  "acks",
  "cohort_members",
  "credit",
  "errors_calls",
  "events_remote",
  "executor",
  "ffi_calls",
  "handlers_lanes",
  "handlers_policies",
  "messenger_close",
  "messenger_context",
  "messenger_contracts",
  "messenger_deadlines",
  "messenger_patterns",
  "messenger_peers",
  "messenger_replies",
  "messenger_status",
  "metrics",
  "plain_velo_serving",
  "services",
  "support",
  "transport_batching",
  "transport_curve",
  "transport_identity",
  "transport_payloads",
  "zmq_closing",
  "zmq_messages",
].map((name) => `test/conformance/${name}_test.ts`);

const paths = (names: readonly string[]): ReadonlySet<string> =>
  new Set(names.map((name) => `test/${name}_test.ts`));

/** Files that measure speed or processor time, so that no other file may run beside them. */
export const lonelyFiles = paths([
  "conformance/ffi_memory",
  "conformance/zmq_reactor",
  "process/credit",
  "process/transport_flow",
]);

/** Files that keep a processor busy or test times: at most one per processor. */
export const busyFiles = paths([
  "conformance/ffi_waiter",
  "conformance/messenger_load",
  "process/cohort_freeze",
  "process/discovery_etcd",
  "process/hostile",
  "process/links_loss",
  "process/transport_clients",
  "process/transport_huge",
  "process/transport_memory",
  "process/transport_stopped",
]);

/** Files that test the packed package. */
export const packageFiles = paths([
  "deno/package",
  "programs/guides",
  "programs/guides_deployment",
  "programs/readme",
]);

/** The lanes that a file needs: all if it must run alone. */
export function lanesOf({ file }: Job): number {
  return lonelyFiles.has(file) ? Infinity : busyFiles.has(file) ? 2 : 1;
}

/** Whether a file tests the packed package. */
export function usesPackage({ file }: Job): boolean {
  return packageFiles.has(file);
}

/** One test file on one runtime. */
export interface Job {
  readonly ring: Ring;
  readonly runtime: RuntimeName;
  /** Path relative to the repository's root. */
  readonly file: string;
}

/** The selected jobs. */
export interface Selection {
  readonly runtimes: readonly RuntimeName[];
  readonly rings: readonly string[];
  /** Only files with a matching path. */
  readonly only: RegExp | undefined;
  /** Whether files named `*_long_test.ts` run too. */
  readonly long: boolean;
  /** Whether to run only `unit` and {@link quickFiles}. */
  readonly quick: boolean;
}

/** The jobs of a selection, by ring and file. */
export function planJobs(selection: Selection): Job[] {
  const jobs: Job[] = [];
  for (const ring of rings) {
    if (!selection.rings.includes(ring.name)) continue;
    for (const file of testFiles(`test/${ring.name}`)) {
      if (!selection.long && file.endsWith("_long_test.ts")) continue;
      if (selection.quick && ring.name !== "unit" && !quickFiles.includes(file)) continue;
      if (selection.only !== undefined && !selection.only.test(file)) continue;
      const runtimes = ring.runtimes.filter((runtime) => selection.runtimes.includes(runtime));
      for (const runtime of ring.once === true && !selection.long ? runtimes.slice(0, 1) : runtimes) {
        jobs.push({ ring, runtime, file });
      }
    }
  }
  return jobs;
}

/** The command of a job. */
export function jobCommand(
  job: Job,
  options: {
    report: string;
    temporaryFolder: string;
    testTimeoutMs: number;
    names: string | undefined;
    denoFlags: readonly string[];
  },
): string[] {
  const { report, names } = options;
  if (job.runtime === "bun") {
    return [
      runtimeProgram("bun"),
      "test",
      `--timeout=${options.testTimeoutMs}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...(names === undefined ? [] : ["--test-name-pattern", names]),
      `./${job.file}`,
    ];
  }
  return [
    runtimeProgram("deno"),
    "test",
    // `check` has checked the types.
    "--no-check",
    "--no-prompt",
    // Tests of memory collect garbage before they measure.
    "--v8-flags=--expose-gc",
    "--preload=tools/testing/deno_guard.ts",
    `--junit-path=${report}`,
    ...testPermissions(job.ring.name, options.temporaryFolder),
    ...(names === undefined ? [] : ["--filter", `/${names}/`]),
    ...options.denoFlags,
    job.file,
  ];
}

function testFiles(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(`${repositoryRoot}/${folder}`, { recursive: true }).map(String);
  } catch {
    return [];
  }
  return names.filter((name) => name.endsWith("_test.ts")).sort().map((name) => `${folder}/${name}`);
}
