import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "../support/testing.ts";
import process from "node:process";
import { embeddedLibrary, openBackend, type RefusedCandidate, ZeromeshError } from "../../ffi/mod.ts";
import { repositoryRoot } from "../support/runtime.ts";

async function failure(promise: Promise<unknown>): Promise<ZeromeshError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ZeromeshError);
    return error;
  }
  throw new Error("It did not fail");
}

function candidatesOf(error: ZeromeshError): readonly RefusedCandidate[] {
  return (error.details as { candidates: readonly RefusedCandidate[] }).candidates;
}

const bundled = process.platform === "linux" &&
  existsSync(`${repositoryRoot}/node_modules/zeromq/build/manifest.json`);
const notBundled = bundled ? false : "the npm package zeromq is not installed, or is for another system";

test("openBackend() takes the npm package's libzmq that has CURVE", { skip: notBundled }, async () => {
  const backend = await openBackend({ search: ["bundled"] });
  const { origin, path, version, capabilities } = backend.library;
  assert.equal(origin, "bundled");
  assert.match(
    path,
    /node_modules\/zeromq\/build\/linux\/.*libc-127-Release\/addon\.node$|\/musl-127-Release\/addon\.node$/,
  );
  assert.match(version, /^4\.3\./);
  assert.ok(capabilities.includes("curve"));
  assert.ok(backend.curveKeyPair() !== null);
  const context = backend.contextNew();
  assert.equal(await backend.contextTerm(context), 0);
});

test("openBackend() fails at once for an option that does not work", async () => {
  const error = await failure(openBackend({ library: "/nowhere/libzmq.so.5" }));
  assert.equal(error.code, "LIBZMQ_NOT_FOUND");
  assert.match(error.message, /option 'library'/);
  assert.equal(candidatesOf(error).length, 1);
  assert.equal(candidatesOf(error)[0]?.origin, "option");
  assert.ok(error.message.includes("/nowhere/libzmq.so.5"));
  assert.match(candidatesOf(error)[0]?.reason ?? "", /No such file|cannot open/i);
});

test(
  "openBackend() refuses a library without libzmq's functions, naming one",
  { skip: notBundled },
  async () => {
    const libc = process.arch === "arm64"
      ? "/lib/aarch64-linux-gnu/libm.so.6"
      : "/lib/x86_64-linux-gnu/libm.so.6";
    const error = await failure(openBackend({ library: existsSync(libc) ? libc : "libm.so.6" }));
    assert.match(error.message, /zmq_/);
  },
);

test("openBackend() lists every candidate when none is usable", async () => {
  embeddedLibrary("/nowhere/embedded.so");
  try {
    const error = await failure(openBackend({ search: ["embedded"] }));
    assert.equal(error.code, "LIBZMQ_NOT_FOUND");
    assert.match(error.message, /install it/);
    assert.match(error.message, /embedded: \/nowhere\/embedded\.so: /);
    assert.deepEqual(candidatesOf(error).map(({ origin }) => origin), ["embedded"]);
  } finally {
    embeddedLibrary(null);
  }
});

test("openBackend() tries again after a failure", { skip: notBundled }, async () => {
  await failure(openBackend({ search: ["embedded"] }));
  const { path } = (await openBackend({ search: ["bundled"] })).library;
  embeddedLibrary(path);
  try {
    const { library } = await openBackend({ search: ["embedded"] });
    assert.deepEqual([library.origin, library.path], ["embedded", path]);
  } finally {
    embeddedLibrary(null);
  }
});
