import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { hasCargo, veloCrate, veloTarget } from "../../test/support/velo_node.ts";
import { runCommand } from "../run_command.ts";

/**
 * Builds the Rust node of the ring `interop`, if cargo is installed. The first build takes some minutes; later ones of
 * the same sources do nothing, in another clone too. The build is in the user's cache under the hash of the locked
 * crates.
 *
 * @returns The outcome as a line, after the output of cargo if the build failed.
 */
export async function buildVelo(): Promise<string> {
  if (!hasCargo()) return "# no cargo: the tests with a Rust node are skipped";
  const target = veloTarget();
  const crate = `${target}/crate`;
  copyChanged(veloCrate, crate);
  const { code, output, tookMs } = await runCommand(["cargo", "build", "--release", "--locked"], {
    cwd: crate,
    env: { ...process.env, CARGO_TARGET_DIR: target },
    timeoutMs: 1_800_000,
  });
  if (code !== 0) return `${output}\n# the Rust node could not be built: its tests are skipped`;
  return `# the Rust node of test/interop/velo is built (${(tookMs / 1000).toFixed(0)} s)`;
}

/** Copies the changed files of a folder. Others keep their times, because cargo compares these. */
function copyChanged(from: string, to: string): void {
  const files = filesOf(from);
  for (const stale of filesOf(to).filter((name) => !files.includes(name))) rmSync(`${to}/${stale}`);
  for (const name of files) {
    const bytes = readFileSync(`${from}/${name}`);
    const path = `${to}/${name}`;
    if (statSync(path, { throwIfNoEntry: false }) !== undefined && readFileSync(path).equals(bytes)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** The files below a folder; none if it does not exist. */
function filesOf(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder, { recursive: true }).map(String)
    .filter((name) => statSync(`${folder}/${name}`).isFile());
}
