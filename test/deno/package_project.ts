/** The package as it would be published, and empty projects that install it. */
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { within } from "../support/until.ts";

/** What a command came to. */
export interface Ended {
  readonly code: number | null;
  /** The command itself and both of its outputs. */
  readonly text: string;
  /** What it wrote to standard output. */
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
  /** The file that is published: npm's where npm is there, else Bun's. */
  readonly tarball: string;
  /** Who packed it. */
  readonly packer: "npm" | "bun";
  /** The names of the files in what npm packs, sorted; undefined without npm. */
  readonly byNpm: readonly string[] | undefined;
  /** The names of the files in what Bun packs, sorted. */
  readonly byBun: readonly string[];
}

/** Packs the package, which builds it, with both packers. */
export async function pack(): Promise<Packed> {
  const folders = { npm: `${tmpdir()}/packed-by-npm`, bun: `${tmpdir()}/packed-by-bun` };
  // A run of many files has packed it with Bun for all of them.
  const packedBefore = process.env["ZEROMESH_PACKED"];
  mkdirSync(folders.npm);
  const byNpm = ["npm", "pack", "--pack-destination", folders.npm];
  // What was built to be packed need not be built again.
  if (packedBefore !== undefined) byNpm.push("--ignore-scripts");
  const { code, text } = await run(byNpm, repositoryRoot);
  if (code !== 0 && code !== 127) throw new Error(`Exit code ${code}: ${text}`);
  const npm = code === 0;
  if (packedBefore === undefined) {
    mkdirSync(folders.bun);
    const bun = [runtimeProgram("bun"), "pm", "pack", "--destination", folders.bun];
    await mustRun(npm ? [...bun, "--ignore-scripts"] : bun, repositoryRoot);
  } else folders.bun = packedBefore;
  const packed = (folder: string): string => {
    const [one, ...more] = readdirSync(folder);
    if (one === undefined || more.length > 0) throw new Error(`Packed ${one} and ${more.join()}`);
    return `${folder}/${one}`;
  };
  return {
    tarball: packed(npm ? folders.npm : folders.bun),
    packer: npm ? "npm" : "bun",
    byNpm: npm ? await namesIn(packed(folders.npm)) : undefined,
    byBun: await namesIn(packed(folders.bun)),
  };
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
