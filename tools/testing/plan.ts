import { readdirSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
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
  /** Whether one runtime suffices except in long runs: the files start programs on both, or read output that is equal. */
  readonly once?: boolean;
  /** How many of its files may share a process. @default {1} */
  readonly together?: number;
}

/**
 * The rings, in the order in which their files begin. Rings of long files come before `conformance`, whose short ones
 * then fill the lanes.
 */
export const rings: readonly Ring[] = [
  { name: "unit", runtimes: ["bun"], together: 20 },
  { name: "programs", runtimes: ["bun", "deno"], once: true },
  { name: "process", runtimes: ["bun", "deno"], together: 3 },
  { name: "deno", runtimes: ["deno"] },
  { name: "interop", runtimes: ["bun", "deno"] },
  { name: "conformance", runtimes: ["bun", "deno"], together: 8 },
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
  "process/transport_flow",
]);

/** Files that keep a processor busy or test times: at most one per processor. */
export const busyFiles = paths([
  "conformance/ffi_waiter",
  "conformance/messenger_load",
  "conformance/zmq_reactor",
  "programs/cohort_freeze",
  "process/credit",
  "process/hostile",
  "process/transport_clients",
  "process/transport_huge",
  "process/transport_memory",
  "process/transport_slow",
  "process/transport_stopped",
]);

/** Files that test the packed package. */
export const packageFiles = paths([
  "deno/package",
  "programs/guides",
  "programs/guides_deployment",
  "programs/readme",
]);

const apartNames = [
  "descriptors",
  "discovery_etcd",
  "ending",
  "links_lifetime",
  "options_everywhere",
  "support",
  "tools_\\w+",
  "transport_in_worker",
  "types",
  "wire_fuzz",
  "worker_terminated",
];

/** Files that count the resources of their process, or keep it busy: they need a process of their own. */
const apart = new RegExp(`/(?:(?:ffi|zmq)_.*|(?:${apartNames.join("|")})_test\\.ts)$`);

/** The lanes that a job needs: all if it must run alone. */
export function lanesOf({ files }: Job): number {
  const has = (names: ReadonlySet<string>): boolean => files.some((file) => names.has(file));
  return has(lonelyFiles) ? Infinity : has(busyFiles) ? 2 : 1;
}

/** Whether a job tests the packed package. */
export function usesPackage({ files }: Job): boolean {
  return files.some((file) => packageFiles.has(file));
}

/** Whether a job needs the Rust node. */
export function usesVelo({ files }: Job): boolean {
  return files.some((file) => file.startsWith("test/interop/velo"));
}

/** One test file on one runtime, or several small ones in one process. */
export interface Job {
  readonly ring: Ring;
  readonly runtime: RuntimeName;
  /** Paths relative to the repository's root. */
  readonly files: readonly string[];
}

/** The name of a job: its file, or the first and the last of several. */
export function titleOf({ files }: Job): string {
  const [first = ""] = files;
  const last = files.at(-1)!.replace(/^.*\//, "");
  return files.length === 1 ? first : `${first.replace(/_test\.ts$/, "")} to ${last} (${files.length} files)`;
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

/**
 * The jobs of a selection, by ring. Small files of a complete run share processes, because the start of a process and the
 * load of the library take longer than most of them. Selected files and long tests have each their own.
 */
export function planJobs(selection: Selection): Job[] {
  const jobs: Job[] = [];
  const whole = selection.only === undefined && !selection.long;
  for (const ring of rings) {
    if (!selection.rings.includes(ring.name)) continue;
    const files = testFiles(`test/${ring.name}`).filter((file) => {
      if (!selection.long && file.endsWith("_long_test.ts")) return false;
      if (selection.quick && ring.name !== "unit" && !quickFiles.includes(file)) return false;
      return selection.only === undefined || selection.only.test(file);
    });
    const runtimes = ring.runtimes.filter((runtime) => selection.runtimes.includes(runtime));
    for (const group of groupsOf(files, whole ? ring.together ?? 1 : 1)) {
      for (const runtime of ring.once === true && !selection.long ? runtimes.slice(0, 1) : runtimes) {
        jobs.push({ ring, runtime, files: group });
      }
    }
  }
  return jobs;
}

/** Groups of at most `together` files that may share a process, before the files that may not: the longest go first. */
function groupsOf(files: readonly string[], together: number): string[][] {
  const alone = (file: string): boolean =>
    together === 1 || lonelyFiles.has(file) || busyFiles.has(file) || apart.test(file);
  const small = files.filter((file) => !alone(file));
  const groups: string[][] = [];
  for (let from = 0; from < small.length; from += together) groups.push(small.slice(from, from + together));
  return [...groups, ...files.filter(alone).map((file) => [file])];
}

/** A job for each file of a job. */
export function oneByOne(job: Job): Job[] {
  return job.files.map((file) => ({ ...job, files: [file] }));
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
      ...job.files.map((file) => `./${file}`),
    ];
  }
  const [file = ""] = job.files;
  const path = job.files.length === 1 ? file : `${options.temporaryFolder}/together_test.ts`;
  if (job.files.length > 1) {
    // Deno loads the library again for each test file on its command line, but only once for the imports of one file.
    const url = (one: string): string => JSON.stringify(pathToFileURL(`${repositoryRoot}/${one}`).href);
    writeFileSync(path, job.files.map((one) => `import ${url(one)};\n`).join(""));
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
    path,
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
