/**
 * The one place in the tests that knows which runtimes there are: where their programs lie, how a script is
 * started with each, and which permissions Deno gets.
 */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

/** The runtimes the library is for. */
export type RuntimeName = "bun" | "deno";

/** The runtime this process runs on. */
export const currentRuntime: RuntimeName = process.versions["bun"] === undefined ? "deno" : "bun";

/** Both runtimes, this one first. */
export const allRuntimes: readonly RuntimeName[] = currentRuntime === "bun"
  ? ["bun", "deno"]
  : ["deno", "bun"];

/** The repository's root, without a slash at the end. */
export const repositoryRoot: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** Whether the run was asked for its long tests (`--long`). */
export const longRun: boolean = process.env["ZEROMESH_LONG"] === "1";

/**
 * Runtimes of a test's peer that has a process of its own: daily the other one, so that each of both is at each end.
 * Peers on the same runtime have the tests of one process.
 */
export const peerRuntimes: readonly RuntimeName[] = longRun ? allRuntimes : allRuntimes.slice(1);

/** Whether this runtime watches programs of both runtimes: daily one of the two does, in long runs both. */
export const watchesDaily: boolean = longRun || currentRuntime === "bun";

/** Whether the `index`th of tests that are alike runs here: daily each on one runtime, in long runs on both. */
export function takesTurn(index: number): boolean {
  return longRun || index % 2 === (currentRuntime === "bun" ? 0 : 1);
}

/** The permissions that the library itself needs on Deno, as README lists them. */
export const productPermissions: readonly string[] = ["--allow-ffi", "--allow-read", "--allow-env"];

/**
 * The permissions of test files on Deno: the library's, and what the test harness needs on top of them.
 *
 * - `conformance`: TCP on this host, for the cutting proxy and for finding a free port.
 * - `process` and `deno`: also starting programs, and files in the run's own temporary folder.
 */
export function testPermissions(ring: string, temporaryFolder: string): string[] {
  const permissions = [...productPermissions, "--allow-net=127.0.0.1,localhost"];
  if (ring === "conformance") return permissions;
  return [...permissions, "--allow-run", `--allow-write=${temporaryFolder}`];
}

/**
 * The path of a runtime's program: this very program, else the one that the packages `bun` and `deno` brought,
 * else the bare name, to be found in `PATH`.
 *
 * The links in `node_modules/.bin` may be scripts that start the program as a child, which would get the
 * signals and the process id that a test means for the program; so they are not used.
 */
export function runtimeProgram(name: RuntimeName): string {
  if (name === currentRuntime) return process.execPath;
  const scope = name === "bun" ? "@oven" : "@deno";
  const candidates = name === "bun"
    ? [`${repositoryRoot}/node_modules/bun/bin/bun.exe`]
    : [`${repositoryRoot}/node_modules/deno/deno`];
  for (const folder of foldersIn(`${repositoryRoot}/node_modules/${scope}`)) {
    candidates.push(name === "bun" ? `${folder}/bin/bun` : `${folder}/deno`);
  }
  return candidates.find((path) => existsSync(path)) ?? name;
}

/** The command that runs a script on a runtime. Bun has no permissions and ignores them. */
export function scriptCommand(
  runtime: RuntimeName,
  script: string,
  options: { args?: readonly string[] | undefined; permissions?: readonly string[] | undefined } = {},
): string[] {
  const args = options.args ?? [];
  if (runtime === "bun") return [runtimeProgram("bun"), "run", script, ...args];
  const given = options.permissions ?? productPermissions;
  // Deno's `node:child_process` adds -A to its own program when it sees no permission flag at all.
  const permissions = given.length === 0 ? ["--deny-sys"] : given;
  return [runtimeProgram("deno"), "run", "--quiet", "--no-prompt", ...permissions, script, ...args];
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path).map((name) => `${path}/${name}`);
  } catch {
    return [];
  }
}
