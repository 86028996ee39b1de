/**
 * The checks before a merge: format, lint, types on both runtimes, layers and rules, manifests, documentation, and that
 * imports of entry points have no effects: `bun run tools/check.ts --help`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { productPermissions, repositoryRoot, runtimeProgram } from "../test/support/runtime.ts";
import { anyProblems, moduleDocProblems, readmeProblems } from "./checks/docs.ts";
import { layerProblems } from "./checks/layers.ts";
import { type Json, manifestProblems } from "./checks/manifests.ts";
import { placeProblems } from "./checks/places.ts";
import { fileProblems, ruleProblems } from "./checks/rules.ts";
import { type SourceFile, sourceFiles, type TextFile, textFiles } from "./checks/tree.ts";
import { killAllOnSignals, runCommand } from "./run_command.ts";
import { stdAssert } from "./testing/std_assert.ts";

/** The checked repository, read once. */
interface Project {
  readonly files: readonly TextFile[];
  readonly sources: readonly SourceFile[];
  readonly packageJson: Json;
  readonly denoJson: Json;
  /** Files of the entry points, relative to the root, without `./`. */
  readonly entries: readonly string[];
  /** A folder for files of a step. */
  readonly folder: string;
}

interface Step {
  readonly name: string;
  readonly what: string;
  /** Returns the problems. */
  readonly run: (project: Project) => Promise<string[]> | string[];
}

const deno = runtimeProgram("deno");
const bun = runtimeProgram("bun");

const steps: readonly Step[] = [
  // The longest one first: two steps run at once.
  {
    name: "types-deno",
    what: "deno check, with the examples of docstrings, all but the tests that only Bun runs",
    run: denoTypes,
  },
  { name: "format", what: "deno fmt --check", run: () => command([deno, "fmt", "--check"]) },
  { name: "lint", what: "deno lint", run: () => command([deno, "lint", "--quiet"]) },
  { name: "types-bun", what: "tsc with Bun's types, all but the tests that only Deno runs", run: bunTypes },
  { name: "layers", what: "imports go down, and through the door of a folder", run: layers },
  { name: "rules", what: "runtime globals, clocks, console, any, enum", run: (p) => ruleProblems(p.sources) },
  { name: "files", what: "names and lengths of files", run: (project) => fileProblems(project.sources) },
  {
    name: "manifests",
    what: "package.json, deno.json, tsconfig.json and the lock file agree",
    run: manifests,
  },
  {
    name: "places",
    what: "no path leads out of the repository",
    run: (project) => placeProblems(project.files),
  },
  { name: "docs", what: "deno doc --lint, @module, no any in public types", run: docs },
  { name: "readme", what: "README names the permissions and scripts that exist", run: readme },
  { name: "publish", what: "a dry run of publishing to Deno's registry", run: publish },
  { name: "imports-deno", what: "entry points load without any permission and do nothing", run: denoImports },
  { name: "imports-bun", what: "entry points load without libzmq and do nothing", run: bunImports },
];

const help = `Checks everything but the tests.

bun run tools/check.ts [--only NAME,NAME] [--help]

${steps.map((step) => `  ${step.name.padEnd(14)} ${step.what}`).join("\n")}

The last line is "check: N ok, N failed". The exit code is 0 when nothing failed.`;

async function command(words: readonly string[]): Promise<string[]> {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, RUST_BACKTRACE: undefined };
  const result = await runCommand(words, { timeoutMs: 300_000, env });
  if (result.timedOut) return [`${words.join(" ")}: no end within 300 s`];
  return result.code === 0 ? [] : [result.output.trim() || `exit code ${result.code}`];
}

/** The folders that hold TypeScript. */
function folders(project: Project, names: readonly string[]): string[] {
  return names.filter((name) => project.sources.some((file) => file.path.startsWith(`${name}/`)));
}

/** All in one process, which loads the library once: the sources, their examples, and the tests that run on Deno. */
async function denoTypes(project: Project): Promise<string[]> {
  const names = ["ffi", "src", "examples", "bench", "tools"];
  const tests = ["conformance", "process", "programs", "interop", "support", "vectors", "deno"];
  const paths = folders(project, [...names, ...tests.map((name) => `test/${name}`)]);
  // Only Bun runs it, but both compilers must agree on what the types allow.
  paths.push("test/unit/types_cases.ts");
  const { denoFlags } = await stdAssert(project.folder);
  return await command([deno, "check", "--quiet", "--doc", ...denoFlags, ...paths, ...project.entries]);
}

function bunTypes(): Promise<string[]> {
  // By its path, so that a machine without Node can run it too.
  return command([bun, "node_modules/typescript/bin/tsc", "-p", ".", "--noEmit", "--pretty", "false"]);
}

function layers(project: Project): string[] {
  const groups = ["dependencies", "optionalDependencies", "peerDependencies"];
  return layerProblems(project.sources, groups.flatMap((key) => Object.keys(project.packageJson[key] ?? {})));
}

function manifests(project: Project): string[] {
  const textOf = (path: string): string => project.files.find((file) => file.path === path)?.text ?? "";
  return manifestProblems({
    packageJson: project.packageJson,
    denoJson: project.denoJson,
    tsconfig: JSON.parse(textOf("tsconfig.json")) as Json,
    lock: textOf("package-lock.json"),
    changelog: textOf("CHANGELOG.md"),
    exists: (path) => existsSync(`${repositoryRoot}/${path}`),
  });
}

async function docs(project: Project): Promise<string[]> {
  const missing = project.entries.filter((path) => !existsSync(`${repositoryRoot}/${path}`));
  if (missing.length > 0) return missing.map((path) => `${path}: does not exist`);
  const problems = moduleDocProblems(project.files.filter((file) => project.entries.includes(file.path)));
  problems.push(...await command([deno, "doc", "--lint", "--quiet", ...project.entries]));
  const json = await runCommand([deno, "doc", "--json", "--quiet", ...project.entries], {
    timeoutMs: 60_000,
  });
  if (json.code === 0) problems.push(...anyProblems(JSON.parse(json.stdout)));
  else problems.push(json.output);
  return problems;
}

/** npm's dry run packs first, so it is a test: test/deno/package_test.ts. */
async function publish(): Promise<string[]> {
  const words = [deno, "publish", "--dry-run", "--allow-dirty", "--no-provenance"];
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, RUST_BACKTRACE: undefined };
  const { code, output } = await runCommand(words, { timeoutMs: 300_000, env });
  // An update of an actor loads the module that it is given, at a path of this machine.
  const meant = /^warning\[unanalyzable-dynamic-import\].*\n.*actors\/update\/loading\.ts/gm;
  return code === 0 && !/^warning/m.test(output.replaceAll(meant, "")) ? [] : [output.trim()];
}

function readme(project: Project): string[] {
  const text = project.files.find((file) => file.path === "README.md")?.text;
  if (text === undefined) return ["README.md does not exist"];
  const scripts = Object.keys(project.packageJson["scripts"] ?? {});
  return readmeProblems(text, { scripts, permissions: productPermissions });
}

async function denoImports(project: Project): Promise<string[]> {
  return await importEach(project, (path) => [deno, "run", "--no-prompt", "--no-check", "--quiet", path]);
}

async function bunImports(project: Project): Promise<string[]> {
  // Its constants tell the version and the capabilities of libzmq.
  const opening = ["src/zmq/mod.ts", "src/zmq/draft/mod.ts"];
  // The mapped files of a process show whether it opened a library.
  const source = (path: string): string =>
    `await import(${JSON.stringify(`./${path}`)});
     const { existsSync, readFileSync } = await import("node:fs");
     const maps = "/proc/self/maps";
     if (${!opening.includes(
      path,
    )} && existsSync(maps) && /libzmq|addon\\.node/.test(readFileSync(maps, "utf8"))) console.log("libzmq is open");`;
  return await importEach(project, (path) => [bun, "-e", source(path)]);
}

/** Imports every entry point in its own process, which must end by itself and without output. */
async function importEach(project: Project, words: (path: string) => string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const path of project.entries) {
    const result = await runCommand(words(path), { timeoutMs: 15_000 });
    const output = result.output.trim();
    if (result.timedOut) problems.push(`${path}: something keeps the process alive after importing it`);
    else if (result.code !== 0) problems.push(`${path}: cannot be imported:\n${output}`);
    else if (output !== "") problems.push(`${path}: importing it is not silent:\n${output}`);
  }
  return problems;
}

function readProject(folder: string): Project {
  const files = textFiles();
  const read = (path: string): Json => JSON.parse(readFileSync(`${repositoryRoot}/${path}`, "utf8")) as Json;
  const denoJson = read("deno.json");
  const entries = Object.values(denoJson["exports"] as Record<string, string>);
  return {
    files,
    sources: sourceFiles(files),
    packageJson: read("package.json"),
    denoJson,
    entries: entries.map((path) => path.replace(/^\.\//, "")),
    folder,
  };
}

/** Runs a step, prints its line, and returns whether it passed. */
async function runStep(step: Step, project: Project): Promise<boolean> {
  const start = performance.now();
  let problems: string[];
  try {
    problems = await step.run(project);
  } catch (error) {
    problems = [error instanceof Error ? error.stack ?? String(error) : String(error)];
  }
  const took = `(${(performance.now() - start).toFixed(0)} ms)`;
  console.log(
    problems.length === 0 ? `ok   ${step.name} ${took}` : `FAIL ${step.name} ${took}: ${step.what}`,
  );
  for (const problem of problems) console.log(problem.replaceAll(/^/gm, "     "));
  return problems.length === 0;
}

async function main(): Promise<number> {
  let only: string[] | undefined;
  try {
    const options = { only: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
    const { values } = parseArgs({ args: process.argv.slice(2), options });
    if (values.help === true) {
      console.log(help);
      return 0;
    }
    only = values.only?.split(",");
    const unknown = only?.filter((name) => !steps.some((step) => step.name === name)) ?? [];
    if (unknown.length > 0) throw new Error(`There is no check ${unknown.join(", ")}`);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return 2;
  }
  const folder = mkdtempSync(`${tmpdir()}/zeromesh-check-`);
  const cleanup = (): void => rmSync(folder, { recursive: true, force: true });
  killAllOnSignals(cleanup);
  try {
    const project = readProject(folder);
    const waiting = steps.filter((step) => only === undefined || only.includes(step.name));
    const results: boolean[] = [];
    const worker = async (): Promise<void> => {
      for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
        results.push(await runStep(step, project));
      }
    };
    await Promise.all([worker(), worker()]);
    const failed = results.filter((fine) => !fine).length;
    console.log(`check: ${results.length - failed} ok, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    cleanup();
  }
}

process.exit(await main());
