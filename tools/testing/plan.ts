import { readdirSync } from "node:fs";
import {
  repositoryRoot,
  type RuntimeName,
  runtimeProgram,
  testPermissions,
} from "../../test/support/runtime.ts";

/** A ring of tests: a folder under `test/`, and where its files run. */
export interface Ring {
  /** The folder's name. */
  readonly name: string;
  /** The runtimes its files run on. */
  readonly runtimes: readonly RuntimeName[];
  /** Whether one of them is enough but for long runs: its files start their programs on both. */
  readonly once?: boolean;
}

/**
 * The rings, in the order in which their files begin. Those whose files take long come before `conformance`, whose
 * many short ones then fill the lanes to the end.
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
 * The files of `conformance` that `--quick` takes besides the whole of `unit`: each area's main behaviour, in files that
 * take a second or two. All of it ends within two minutes on two cores.
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

/** Files that measure how quick something is, or how much of the processor it takes: another beside them would be measured too. */
export const lonelyFiles = paths([
  "conformance/ffi_memory",
  "conformance/zmq_reactor",
  "process/credit",
  "process/transport_flow",
]);

/** Files that keep a processor busy by themselves, or hold the product to a time: no more than one for each processor. */
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

/** Files that try the packed package. */
export const packageFiles = paths([
  "deno/package",
  "programs/guides",
  "programs/guides_deployment",
  "programs/readme",
]);

/** How many lanes a file takes: all when it has to run alone. */
export function lanesOf({ file }: Job): number {
  return lonelyFiles.has(file) ? Infinity : busyFiles.has(file) ? 2 : 1;
}

/** Whether a file tries the packed package, which is then packed before. */
export function usesPackage({ file }: Job): boolean {
  return packageFiles.has(file);
}

/** One test file on one runtime. */
export interface Job {
  readonly ring: Ring;
  readonly runtime: RuntimeName;
  /** The file, from the repository's root. */
  readonly file: string;
}

/** What is to run. */
export interface Selection {
  readonly runtimes: readonly RuntimeName[];
  readonly rings: readonly string[];
  /** Only files whose path matches. */
  readonly only: RegExp | undefined;
  /** Whether files named `*_long_test.ts` run too. */
  readonly long: boolean;
  /** Whether to take only `unit` and {@link quickFiles}. */
  readonly quick: boolean;
}

/** The jobs of a selection, ring by ring, file by file. */
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
    // `check` has looked at the types.
    "--no-check",
    "--no-prompt",
    // Tests of memory collect what nobody needs before they look.
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
