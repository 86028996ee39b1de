import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";

const casesPath = `${repositoryRoot}/test/unit/types_cases.ts`;
const cases = readFileSync(casesPath, "utf8");

/** Errors of the TypeScript compiler, as `LINE TSCODE`. */
async function compile(text: string): Promise<string[]> {
  const folder = mkdtempSync(`${tmpdir()}/types-`);
  try {
    symlinkSync(`${repositoryRoot}/node_modules`, `${folder}/node_modules`);
    writeFileSync(`${folder}/cases.ts`, text);
    const config = { extends: `${repositoryRoot}/tsconfig.json`, include: ["cases.ts"], exclude: [] };
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
    const tsc = `${repositoryRoot}/node_modules/typescript/bin/tsc`;
    await using child = spawnCommand([
      runtimeProgram("bun"),
      tsc,
      "-p",
      folder,
      ...["--pretty", "false", "--singleThreaded"],
    ]);
    await child.exit;
    const errors: string[] = [];
    for (const line of child.outputText.split("\n")) {
      if (line === "" || line.startsWith(" ")) continue;
      const match = /cases\.ts\((\d+),\d+\): error (TS\d+):/.exec(line);
      errors.push(match === null ? line : `${match[1]} ${match[2]}`);
    }
    return errors;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// That the file compiles as it is, with Bun's types and with Deno's, is part of `npm run check`.
test("types: what must not compile fails with the error that its @ts-expect-error names, and all else compiles", async () => {
  const marked = cases.split("\n").flatMap((line, index) => {
    const match = /\/\/ @ts-expect-error (TS\d+): \S/.exec(line);
    // Lines count from 1, and the error is in the line after its comment.
    return match === null ? [] : [`${index + 2} ${match[1]}`];
  });
  expect(marked.length).toBe(cases.split("// @ts-expect-error ").length - 1);
  expect(await compile(cases.replaceAll("// @ts-expect-error ", "// "))).toEqual(marked);
});
