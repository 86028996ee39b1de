import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { before } from "node:test";
import { test } from "../support/testing.ts";
import { Messenger } from "zeromesh";
import { openBackend } from "zeromesh/ffi";
import { freePort } from "../support/ports.ts";
import { missingDenort } from "../support/denort.ts";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand, type SpawnedProcess, spawnScript } from "../support/spawn.ts";

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

// A folder with nothing in it but the program, below which and above which there is no node_modules.
const folder = mkdtempSync(`${tmpdir()}/binary-`);
const service = `${folder}/zeromesh-service`;

before(async () => {
  await using build = spawnScript("tools/build_binary.ts", ["--out", service], { runtime: "bun" });
  assert.deepEqual(await build.exit, { code: 0, signal: null }, build.outputText + build.errorText);
});

/** Starts the service with no variables but a home and a place for temporary files, both that folder. */
function startService(args: readonly string[]): SpawnedProcess {
  const places = [`HOME=${folder}`, `TMPDIR=${folder}`];
  return spawnCommand(["env", "-i", ...places, service, ...args], { cwd: folder });
}

test("zeromesh-service answers from an empty folder and environment, with the libzmq it carries", async () => {
  assert.equal(existsSync(`${tmpdir()}/node_modules`), false);
  const endpoint = `tcp://127.0.0.1:${await freePort()}`;
  await using program = startService(["--endpoint", endpoint]);
  await program.waitForLine(`listening on ${endpoint}`);
  await using messenger = await Messenger.create();
  const handlers = await messenger.availableHandlers(await messenger.connect(endpoint));
  assert.ok(handlers.includes("take"), handlers.join());
  if (process.platform === "linux") {
    // What the process has mapped from files: no libzmq of the system or of a package, but the one unpacked here.
    const maps = spawnCommand(["cat", `/proc/${program.pid}/maps`]);
    await maps.exit;
    const files = new Set(
      [...maps.outputText.matchAll(/ (\/.*\.(?:so|node)\S*)$/gm)].map(([, path = ""]) => path),
    );
    assert.deepEqual([...files].filter((path) => /zmq|node_modules/.test(path)), []);
    const unpacked = readdirSync(folder).filter((name) => name.endsWith(".so"));
    assert.equal(unpacked.length, 1);
    assert.ok(files.has(`${folder}/${unpacked[0]}`), [...files].join("\n"));
  }
  program.signal("SIGTERM");
  assert.deepEqual(await program.exit, { code: 0, signal: null }, program.errorText);
});

test("zeromesh-service --help shows its options", async () => {
  await using program = startService(["--help"]);
  assert.deepEqual(await program.exit, { code: 0, signal: null }, program.errorText);
  assert.match(program.outputText, /--endpoint ENDPOINT/);
});

test("zeromesh-service --licenses prints libzmq's MPL-2.0 and those of all packages in it", async () => {
  await using program = startService(["--licenses"]);
  assert.deepEqual(await program.exit, { code: 0, signal: null }, program.errorText);
  const text = program.outputText;
  assert.match(text, /^libzmq \d+\.\d+\.\d+ \(MPL-2\.0\)$/m);
  assert.match(
    text,
    /Mozilla\s+Public License, version 2\.0 [^]*source is at\s+https:\/\/github\.com\/zeromq\/libzmq/,
  );
  assert.match(text, /^Bun \(MIT\)$/m);
  const { dependencies } = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of ["zeromesh", "zeromq", ...Object.keys(dependencies)]) {
    assert.match(text, new RegExp(`^${name} \\d\\S* \\(`, "m"));
  }
  // Whether CURVE comes from it is up to whoever built libzmq; where it does, its notice is part of the licence.
  const withSodium = readFileSync(service).includes("sodium_init");
  assert.equal(/^libsodium \(ISC\)$[^]*Permission to use, copy, modify/m.test(text), withSodium);
});

/** Builds with `deno compile`; fails with what it printed. */
async function buildWithDeno(
  out: string,
  env: Record<string, string>,
  entry: readonly string[],
): Promise<void> {
  const args = ["--runtime", "deno", "--out", out, ...entry];
  await using build = spawnScript("tools/build_binary.ts", args, { runtime: "bun", env });
  assert.deepEqual(await build.exit, { code: 0, signal: null }, build.outputText + build.errorText);
}

test("tools/build_binary.ts --runtime deno puts the program, libzmq and the licences into one file", async () => {
  const out = `${folder}/for-deno`;
  // Such a file does not run: any program can stand for the runtime part, which not every machine can fetch.
  await buildWithDeno(out, { DENORT_BIN: runtimeProgram("deno") }, []);
  const { library } = await openBackend({ search: ["bundled"] });
  const file = readFileSync(out);
  assert.ok(file.includes(readFileSync(library.path)), "no libzmq in it");
  assert.ok(file.includes("Runs a small warehouse until Ctrl+C"), "no program in it");
  assert.match(file.toString("latin1"), /^Deno \(MIT\)$/m);
  rmSync(out);
});

const denort = await missingDenort();
test(
  `what tools/build_binary.ts --runtime deno makes runs on its own`,
  { skip: denort },
  async () => {
    const out = `${folder}/on-deno`;
    await buildWithDeno(out, {}, ["--entry", "test/deno/exchange_program.ts"]);
    await using program = spawnCommand(["env", "-i", `HOME=${folder}`, `TMPDIR=${folder}`, out], {
      cwd: folder,
    });
    assert.deepEqual(await program.exit, { code: 0, signal: null }, program.errorText);
    assert.match(program.outputText, /libzmq is embedded\nanswer 2,4,6/);
  },
);
