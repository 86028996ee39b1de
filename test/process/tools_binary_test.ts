import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { spawnCommand, spawnScript } from "../support/spawn.ts";

test("tools/build_binary.ts makes a program that carries its libzmq", async () => {
  const out = `${tmpdir()}/program`;
  const options = ["--entry", "test/deno/exchange_program.ts", "--out", out];
  await using build = spawnScript("tools/build_binary.ts", options, { runtime: "bun" });
  assert.deepEqual(await build.exit, { code: 0, signal: null }, build.outputText + build.errorText);
  // Started elsewhere, so that no node_modules lies above it.
  await using program = spawnCommand([out], { cwd: tmpdir() });
  assert.deepEqual(await program.exit, { code: 0, signal: null }, program.errorText);
  assert.match(program.outputText, /libzmq is embedded\nanswer 2,4,6/);
});
