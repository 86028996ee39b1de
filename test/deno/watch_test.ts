/** `deno run --watch` starts the changed program in the same process, where nothing of the last one may be left. */
import { assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { freePort } from "../support/ports.ts";
import { productPermissions, repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { until } from "../support/until.ts";
import { vitals } from "../support/vitals.ts";

Deno.test("deno run --watch restarts a listening program at its port, and leaves no descriptor behind", async () => {
  const folder = mkdtempSync(`${tmpdir()}/w-`);
  const endpoint = `tcp://127.0.0.1:${await freePort()}`;
  const write = (round: number): void =>
    writeFileSync(
      `${folder}/main.ts`,
      `import { Messenger } from "${repositoryRoot}/src/mod.ts";
       const messenger = await Messenger.create({ endpoint: "${endpoint}" });
       await messenger.connect(messenger.endpoint).catch(() => {});
       console.log("round ${round} at", messenger.endpoint);`,
    );
  try {
    write(0);
    await using child = spawnCommand([
      runtimeProgram("deno"),
      "run",
      "--watch",
      "--no-prompt",
      "--no-check",
      `--config=${repositoryRoot}/deno.json`,
      ...productPermissions,
      `${folder}/main.ts`,
    ]);
    const open: number[] = [];
    for (let round = 0; round < 5; round++) {
      if (round > 0) write(round);
      assertStringIncludes(await child.waitForLine(`round ${round}`, 10_000), endpoint);
      open.push((await vitals(child.pid)).descriptors);
    }
    // The first restart may open what the watcher itself keeps, and what has ended may take a moment to be gone.
    await until(async () => (await vitals(child.pid)).descriptors <= open[1]!, {
      message: () => `the descriptors of ended programs to be closed: ${open.join(", ")}\n${child.errorText}`,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
