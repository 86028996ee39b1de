/** Whether `deno compile` can work here: its runtime part is fetched from a host that not every machine reaches. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { runtimeProgram } from "./runtime.ts";
import { spawnCommand } from "./spawn.ts";

/** Why tests that run what `deno compile` made are skipped, or false where they can run. */
export async function missingDenort(): Promise<string | false> {
  const folder = mkdtempSync(`${tmpdir()}/denort-`);
  try {
    writeFileSync(`${folder}/main.js`, `console.log("compiled");`);
    const compile = [
      runtimeProgram("deno"),
      "compile",
      "--no-config",
      "--no-check",
      "--output=main",
      "main.js",
    ];
    await using compiling = spawnCommand(compile, { cwd: folder });
    const { code } = await compiling.exit;
    if (code !== 0 && /\bdenort\b/.test(compiling.errorText)) {
      return "deno compile has no runtime part here (denort: not cached, not fetched, not in DENORT_BIN)";
    }
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
