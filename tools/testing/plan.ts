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
  /** How many files may run at once; those of {@link lonelyFiles} run alone, after the others. */
  readonly jobs: number;
}

/** The rings, in the order they run. */
export const rings: readonly Ring[] = [
  { name: "unit", runtimes: ["bun"], jobs: 2 },
  { name: "conformance", runtimes: ["bun", "deno"], jobs: 2 },
  { name: "process", runtimes: ["bun", "deno"], jobs: 2 },
  { name: "deno", runtimes: ["deno"], jobs: 1 },
  { name: "interop", runtimes: ["bun", "deno"], jobs: 1 },
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

/**
 * Files that measure time, processor or memory, or that keep both cores busy: another beside them would be measured too.
 * And files that build the package, all in the same folder.
 */
const lonelyFiles: ReadonlySet<string> = new Set(
  [
    "conformance/executor",
    "conformance/ffi_memory",
    "conformance/ffi_waiter",
    "conformance/messenger_load",
    "conformance/transport_large",
    "conformance/zmq_reactor",
    "process/cohort_freeze",
    "process/credit",
    "process/discovery_etcd",
    "process/events_process",
    "process/executor",
    "process/guides",
    "process/guides_deployment",
    "process/hostile",
    "process/links_lifetime",
    "process/links_loss",
    "process/readme",
    "process/rolling_restart",
    "process/tools_binary",
    "process/transport_clients",
    "process/transport_flow",
    "process/transport_huge",
    "process/transport_memory",
    "process/transport_stopped",
  ].map((name) => `test/${name}_test.ts`),
);

/** Whether a file has to run while no other does. */
export function runsAlone({ file, ring }: Job): boolean {
  return ring.jobs === 1 || lonelyFiles.has(file);
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
      for (const runtime of ring.runtimes) {
        if (selection.runtimes.includes(runtime)) jobs.push({ ring, runtime, file });
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
