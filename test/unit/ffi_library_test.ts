import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import {
  type Candidate,
  embeddedLibrary,
  type LibraryHost,
  openLibrary,
  type OpenLibraryOptions,
  type RefusedCandidate,
} from "../../ffi/library.ts";
import type { ZeromeshError } from "../../src/core/errors.ts";

/** The answers of a pretended library. */
interface Pretended {
  readonly version?: readonly [number, number, number];
  readonly has?: readonly string[];
  readonly error?: string;
}

const freeHost: LibraryHost = { variable: () => ({ value: undefined }), readRefusal: () => null };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ffi-library-"));
});

afterEach(() => {
  embeddedLibrary(null);
  rmSync(folder, { recursive: true, force: true });
});

function search(libraries: Record<string, Pretended>, options: Partial<OpenLibraryOptions<Candidate>> = {}) {
  return openLibrary<Candidate>({
    choice: {},
    host: freeHost,
    folders: [folder],
    open(path) {
      const found = Object.entries(libraries).find(([end]) => path.endsWith(end))?.[1];
      if (found === undefined) throw new Error("cannot open shared object file");
      if (found.error !== undefined) throw new Error(found.error);
      const numbers = found.version ?? [4, 3, 5];
      const version = (...cells: Uint8Array[]): void => {
        for (const [index, cell] of cells.entries()) {
          new DataView(cell.buffer).setInt32(0, numbers[index] ?? 0, true);
        }
      };
      const has = (name: Uint8Array): number =>
        (found.has ?? ["curve", "ipc"]).includes(new TextDecoder().decode(name.subarray(0, -1))) ? 1 : 0;
      return { zmq: { version, has } };
    },
    ...options,
  });
}

function refusals(run: () => unknown): readonly RefusedCandidate[] {
  try {
    run();
  } catch (error) {
    expect((error as ZeromeshError).code).toBe("LIBZMQ_NOT_FOUND");
    for (const { path, reason } of details(error)) {
      expect((error as Error).message).toContain(`${path}: ${reason}`);
    }
    return details(error);
  }
  throw new Error("It found one");
}

function details(error: unknown): readonly RefusedCandidate[] {
  return ((error as ZeromeshError).details as { candidates: readonly RefusedCandidate[] }).candidates;
}

/** A package with these files, all in its manifest. */
function makePackage(
  entries: { file: string; abi: number; libc?: string; arch?: string; absent?: boolean }[],
): string {
  const root = join(folder, "node_modules", "zeromq");
  const manifest: Record<string, string> = {};
  for (const { file, abi, libc = "glibc", arch = process.arch, absent } of entries) {
    manifest[JSON.stringify({ os: process.platform, arch, libc, abi })] = file;
    const path = join(root, "build", file);
    mkdirSync(dirname(path), { recursive: true });
    if (absent !== true) writeFileSync(path, "");
  }
  writeFileSync(join(root, "build", "manifest.json"), JSON.stringify(manifest));
  return root;
}

test("openLibrary() takes the option and looks at nothing else", () => {
  const { info } = search({ "/mine.so": {}, "libzmq.so.5": {} }, { choice: { library: "/mine.so" } });
  expect(info).toEqual({
    path: "/mine.so",
    origin: "option",
    version: "4.3.5",
    capabilities: ["ipc", "curve"],
  });
  const refused = refusals(() => search({ "libzmq.so.5": {} }, { choice: { library: "/mine.so" } }));
  expect(refused).toEqual([{ origin: "option", path: "/mine.so", reason: "cannot open shared object file" }]);
});

test("openLibrary() takes the variable before everything but the option, and fails with it", () => {
  const host: LibraryHost = { ...freeHost, variable: () => ({ value: "/variable.so" }) };
  expect(search({ "/variable.so": {}, "libzmq.so.5": {} }, { host }).info.origin).toBe("environment");
  expect(refusals(() => search({ "libzmq.so.5": {} }, { host }))).toHaveLength(1);
});

test("openLibrary() goes on without a variable that it may not read, and says so", () => {
  const host: LibraryHost = { ...freeHost, variable: () => ({ refused: "no right" }) };
  expect(search({ "libzmq.so.5": {} }, { host }).info.origin).toBe("system");
  expect(refusals(() => search({}, { host }))[0]).toEqual({
    origin: "environment",
    path: "ZEROMESH_LIBZMQ",
    reason: "no right",
  });
});

test("openLibrary() tries embedded, system, bundled in this order", () => {
  if (process.platform !== "linux") return;
  makePackage([{ file: "a/addon.node", abi: 127 }]);
  embeddedLibrary("/embedded.so");
  const all = { "/embedded.so": {}, "libzmq.so.5": {}, "addon.node": {} };
  expect(search(all).info.origin).toBe("embedded");
  expect(search({ ...all, "/embedded.so": { error: "noexec" } }).info.origin).toBe("system");
  expect(search({ "addon.node": {} }).info.origin).toBe("bundled");
  const origins = refusals(() => search({})).map(({ origin }) => origin);
  expect(origins).toEqual(["embedded", "system", "system", "bundled"]);
});

test("openLibrary() takes from the package only what its manifest has for this machine, ABI 127 first", () => {
  if (process.platform !== "linux") return;
  makePackage([
    { file: "new/addon.node", abi: 147 },
    { file: "absent/addon.node", abi: 72, absent: true },
    { file: "other/addon.node", abi: 127, arch: "mips" },
    { file: "musl/addon.node", abi: 127, libc: "musl" },
    { file: "old/addon.node", abi: 127 },
  ]);
  writeFileSync(join(folder, "node_modules", "zeromq", "build", "unlisted.node"), "");
  const paths = refusals(() => search({}, { choice: { search: ["bundled"] } })).map(({ path }) => path);
  expect(paths.map((path) => path.split("/build/")[1])).toEqual(["old/addon.node", "new/addon.node"]);
});

test("openLibrary() refuses a bundled library without CURVE, and accepts the system's", () => {
  if (process.platform !== "linux") return;
  makePackage([{ file: "a/addon.node", abi: 127 }, { file: "b/addon.node", abi: 115 }]);
  const plain = { has: ["ipc"] };
  const { info } = search({ "a/addon.node": plain, "b/addon.node": {} });
  expect(info.path).toEndWith("b/addon.node");
  expect(refusals(() => search({ "addon.node": plain })).at(-1)?.reason).toBe("it has no CURVE");
  expect(search({ "libzmq.so.5": plain }).info.capabilities).toEqual(["ipc"]);
});

test("openLibrary() refuses a libzmq that is too old", () => {
  const refused = refusals(() => search({ "libzmq.so.5": { version: [4, 2, 5] } }));
  expect(refused[0]?.reason).toContain("libzmq 4.2.5");
});

test("openLibrary() does not look where it may not", () => {
  if (process.platform !== "linux") return;
  makePackage([{ file: "a/addon.node", abi: 127 }]);
  const host: LibraryHost = { ...freeHost, readRefusal: () => "needs a permission" };
  expect(refusals(() => search({ "addon.node": {} }, { host })).at(-2)?.reason).toBe("needs a permission");
});

test("openLibrary() finds the package in a folder above, and reports a broken manifest", () => {
  if (process.platform !== "linux") return;
  const root = makePackage([{ file: "a/addon.node", abi: 127 }]);
  const below = join(folder, "x", "y");
  mkdirSync(below, { recursive: true });
  expect(search({ "addon.node": {} }, { folders: [below, folder] }).info.origin).toBe("bundled");
  writeFileSync(join(root, "build", "manifest.json"), "{");
  expect(refusals(() => search({})).at(-1)?.path).toEndWith("manifest.json");
});
