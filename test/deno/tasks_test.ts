import { assertEquals, assertMatch } from "@std/assert";
import { readFileSync } from "node:fs";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly tasks?: Readonly<Record<string, string>>;
}

function manifest(name: string): Manifest {
  return JSON.parse(readFileSync(`${repositoryRoot}/${name}`, "utf8")) as Manifest;
}

Deno.test("every script of package.json is a task of deno.json, and the reverse", () => {
  // npm alone runs `prepack`, when it makes the package.
  const scripts = Object.keys(manifest("package.json").scripts ?? {}).filter((name) => name !== "prepack");
  const tasks = Object.keys(manifest("deno.json").tasks ?? {});
  assertEquals(scripts.sort(), tasks.sort());
});

Deno.test("deno task starts the programs in node_modules/.bin, on Bun and on Deno", async () => {
  for (const task of ["test", "check"]) {
    await using child = spawnCommand([runtimeProgram("deno"), "task", task, "--help"]);
    assertEquals(await child.exit, { code: 0, signal: null }, child.errorText);
    assertMatch(child.outputText, /--help/);
  }
});

Deno.test("deno task quickstart runs and says how long a call takes", async () => {
  await using child = spawnCommand([runtimeProgram("deno"), "task", "quickstart"]);
  const ended = await child.exit;
  assertEquals(ended, { code: 0, signal: null }, child.outputText + child.errorText);
  assertMatch(child.outputText, /\d ?(?:µs|ms)/);
});
