/** The package as it would be published, and empty projects that install it. */
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { within } from "../support/until.ts";

/** The result of a command. */
export interface Ended {
  readonly code: number | null;
  /** The command itself and both of its outputs. */
  readonly text: string;
  /** The text that it wrote to standard output. */
  readonly output: string;
}

/** Runs a command to its end. */
export async function run(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Ended> {
  await using child = spawnCommand(command, { cwd, env });
  const { code } = await within(child.exit, 60_000, `${command.join(" ")} to end`);
  const text = `${command.join(" ")}\n${child.outputText}${child.errorText}`;
  return { code, text, output: child.outputText };
}

/** Runs a command that has to end well, and returns what it wrote to standard output. */
export async function mustRun(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<string> {
  const { code, text, output } = await run(command, cwd, env);
  if (code !== 0) throw new Error(`Exit code ${code}: ${text}`);
  return output;
}

/** The package, packed. */
export interface Packed {
  /** The file as Bun packs it. */
  readonly tarball: string;
  /** The names of the files in it, sorted. */
  readonly names: readonly string[];
}

/** Packs the package, which builds it. */
export async function pack(): Promise<Packed> {
  // A run of many files has packed it for all of them.
  let folder = process.env["ZEROMESH_PACKED"];
  if (folder === undefined) {
    folder = `${tmpdir()}/packed`;
    mkdirSync(folder);
    await mustRun([runtimeProgram("bun"), "pm", "pack", "--destination", folder], repositoryRoot);
  }
  const [one, ...more] = readdirSync(folder);
  if (one === undefined || more.length > 0) throw new Error(`Packed ${one} and ${more.join()}`);
  const tarball = `${folder}/${one}`;
  return { tarball, names: await namesIn(tarball) };
}

async function namesIn(tarball: string): Promise<string[]> {
  return (await mustRun(["tar", "-tzf", tarball], tmpdir())).trim().split("\n")
    .map((name) => name.replace(/^package\//, "")).sort();
}

/** An empty project that has installed the package, or why there is none. */
export interface Installed {
  /** Who installed it. */
  readonly installer: "npm" | "bun";
  /** Where the project lies. */
  readonly folder: string;
  /** Why it could not be installed, when this machine is the reason. */
  readonly missing: string | undefined;
}

/** Installs the packed package and others into an empty project. */
export async function install(
  installer: "npm" | "bun",
  tarball: string,
  others: readonly string[],
): Promise<Installed> {
  const folder = mkdtempSync(`${tmpdir()}/by-${installer}-`);
  writeFileSync(`${folder}/package.json`, JSON.stringify({ name: "app", type: "module", private: true }));
  const command = installer === "npm"
    ? ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", tarball, ...others]
    : [runtimeProgram("bun"), "add", tarball, ...others];
  const { code, text } = await run(command, folder);
  if (code === 127) return { installer, folder, missing: `${installer} is not installed` };
  if (code !== 0 && /ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ConnectionRefused|FailedToOpenSocket/.test(text)) {
    return { installer, folder, missing: "the package registry cannot be reached" };
  }
  if (code !== 0) throw new Error(`Exit code ${code}: ${text}`);
  return { installer, folder, missing: undefined };
}
