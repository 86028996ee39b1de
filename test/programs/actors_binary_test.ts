import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { missingDenort } from "../support/denort.ts";
import { allRuntimes, repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { test } from "../support/testing.ts";

const denort = await missingDenort();

for (const runtime of allRuntimes) {
  const skip = runtime === "deno" && denort;
  test(`copyModule() in a program that ${runtime} compiled asks for a definition`, { skip }, async () => {
    const folder = mkdtempSync(`${tmpdir()}/compiled-`);
    const copies = `${repositoryRoot}/src/actors/update/module_copy.ts`;
    writeFileSync(
      `${folder}/main.ts`,
      `import { copyModule } from ${JSON.stringify(copies)};
      console.log(await copyModule("/tmp/counter.ts").catch((error) => error.code + ": " + error.message));`,
    );
    const compile = runtime === "bun"
      ? [runtimeProgram("bun"), "build", "--compile", `${folder}/main.ts`, "--outfile", `${folder}/main`]
      : [runtimeProgram("deno"), "compile", "--no-check", "--output", `${folder}/main`, `${folder}/main.ts`];
    await using compiling = spawnCommand(compile, { cwd: repositoryRoot });
    assert.deepEqual(await compiling.exit, { code: 0, signal: null }, compiling.errorText);
    await using program = spawnCommand([`${folder}/main`], { cwd: folder });
    await program.waitForLine(
      /^ACTOR_UPDATE_FAILED: .*compiled into one file.*definition, or a name of the catalogue/,
    );
  });
}
