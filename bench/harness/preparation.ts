/** Prepares the baselines: compiled programs, installed packages, a broker. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { delimiter } from "node:path";
import process from "node:process";
import { repositoryRoot } from "../../test/support/runtime.ts";
import { runCommand } from "../../tools/run_command.ts";

/** A subject cannot be measured here. */
export class Unavailable extends Error {}

/** Folder of compiled programs, outside version control. */
const buildFolder = `${repositoryRoot}/bench/results/build`;
const baselineFolder = `${repositoryRoot}/bench/baseline`;
const prepared = new Map<string, Promise<string>>();

/** Compiles a C program against the system's libzmq; returns its path. */
export function compiled(name: string): Promise<string> {
  return once(`cc ${name}`, async () => {
    if (findProgram("cc") === null) throw new Unavailable("there is no C compiler (cc)");
    mkdirSync(buildFolder, { recursive: true });
    const program = `${buildFolder}/${name}`;
    const source = `${baselineFolder}/c/${name}.c`;
    const { code, output } = await run(["cc", "-O2", "-Wall", source, "-o", program, "-lzmq", "-pthread"]);
    if (code === 0) return program;
    if (/zmq\.h|-lzmq/.test(output)) {
      throw new Unavailable("libzmq's header or library is not installed (Debian: libzmq3-dev)");
    }
    throw new Unavailable(`cc failed: ${firstLine(output)}`);
  });
}

/** Installs a baseline's packages with npm if necessary; returns the path to resolve them from. */
export function installed(name: string): Promise<string> {
  return once(`npm ${name}`, async () => {
    const folder = `${baselineFolder}/${name}`;
    const manifest = `${folder}/package.json`;
    if (isInstalled(folder)) return manifest;
    if (findProgram("npm") === null) throw new Unavailable("npm is not there to install its packages");
    const words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const { code, output } = await run(words, folder);
    if (code !== 0) throw new Unavailable(`npm could not install its packages: ${firstLine(output)}`);
    return manifest;
  });
}

/** The path of Node. */
export function nodeProgram(): Promise<string> {
  return once("node", async () => {
    const found = findProgram("node");
    // Without Node, "bun run" provides itself as `node`.
    const { code, output } = await run([found ?? "node", "-p", "process.versions.bun ?? 'real'"]);
    if (found === null || code !== 0 || output.trim() !== "real") throw new Unavailable("Node is not there");
    return found;
  });
}

/** Builds a baseline's program as JavaScript, for Nodes without TypeScript; returns its path. */
export function builtForNode(name: string): Promise<string> {
  return once(`build ${name}`, async () => {
    const out = `${buildFolder}/${name}.mjs`;
    const source = `${baselineFolder}/${name}/peer.ts`;
    const words = [process.execPath, "build", "--target=node", "--format=esm", `--outfile=${out}`, source];
    const { code, output } = await run(words);
    if (code !== 0) throw new Error(`Could not build ${source}: ${output}`);
    return out;
  });
}

/** The path of the NATS server. */
export function natsServer(): Promise<string> {
  return once("nats-server", () => {
    // Debian installs it outside the usual PATH.
    const found = findProgram("nats-server", ["/usr/sbin", "/usr/local/sbin"]);
    if (found === null) throw new Unavailable("nats-server is not there (Debian: nats-server)");
    return Promise.resolve(found);
  });
}

/** The version text of a program; null when it cannot be run. */
export async function versionOf(program: string): Promise<string | null> {
  const { code, output } = await run([program, "--version"]).catch(() => ({ code: 1, output: "" }));
  return code === 0 ? /\d+\.\d+\.\d+\S*/.exec(output)?.[0] ?? firstLine(output) : null;
}

function run(
  words: readonly string[],
  cwd = repositoryRoot,
): Promise<{ code: number | null; output: string }> {
  return runCommand(words, { timeoutMs: 180_000, cwd, env: { ...process.env, NO_COLOR: "1" } });
}

/** Whether the folder has the versions of its manifest. */
function isInstalled(folder: string): boolean {
  const { dependencies } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as {
    dependencies: Record<string, string>;
  };
  return Object.entries(dependencies).every(([name, wanted]) => {
    const manifest = `${folder}/node_modules/${name}/package.json`;
    if (!existsSync(manifest)) return false;
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
    return version === wanted;
  });
}

function findProgram(name: string, more: readonly string[] = []): string | null {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...more];
  return folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)) ?? null;
}

function once(key: string, make: () => Promise<string>): Promise<string> {
  let made = prepared.get(key);
  if (made === undefined) {
    made = make();
    prepared.set(key, made);
  }
  return made;
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0]?.slice(0, 200) ?? "";
}
