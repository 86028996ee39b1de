import { spawnSync } from "node:child_process";
import process from "node:process";
import { hasCargo, veloCrate, veloTarget } from "../../test/support/velo_node.ts";

/**
 * Builds the Rust node of the ring `interop`, if cargo is installed. The first build takes some minutes, with cargo's
 * own progress; later ones do nothing. The build is in the user's cache under the hash of the locked crates.
 */
export function buildVelo(): void {
  if (!hasCargo()) return console.log("# no cargo: the tests with a Rust node are skipped");
  console.log("# building the Rust node of test/interop/velo (minutes the first time)");
  const built = spawnSync("cargo", ["build", "--release", "--locked"], {
    cwd: veloCrate,
    stdio: "inherit",
    env: { ...process.env, CARGO_TARGET_DIR: veloTarget() },
  });
  if (built.status !== 0) console.log("# the Rust node could not be built: its tests are skipped");
}
