import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { cString } from "./c_string.ts";
import type { DenoGlobal, DenoSymbol, DenoType } from "./deno_types.ts";
import type { LibraryHost } from "./library.ts";
import { type Handle, makeRegion, type NativeMemory } from "./memory.ts";
import {
  type Calls,
  loaderSymbols,
  type Parameter,
  type Result,
  type SymbolTable,
  zmqSymbols,
} from "./symbols.ts";

/** The used part of `Deno`, with the same type for every type checker. */
export const deno: DenoGlobal = (globalThis as unknown as { Deno: DenoGlobal }).Deno;

const parameterTypes: { readonly [Kind in Parameter]: DenoType } = {
  handle: "pointer",
  address: "usize",
  view: "buffer",
  size: "usize",
  int: "i32",
};

const resultTypes: { readonly [Kind in Result]: DenoType } = {
  handle: "pointer",
  int: "i32",
  text: "pointer",
  none: "void",
};

/** Opened libraries, to be closed together. */
export type Opened = ReturnType<DenoGlobal["dlopen"]>[];

/** Opens functions of a library, or throws with the loader's text. Missing functions of `optional` are null. */
export function open<Opens>(
  opened: Opened,
  path: string,
  table: SymbolTable,
  { optional = false, nonblocking = false }: { readonly optional?: boolean; readonly nonblocking?: boolean } =
    {},
): Opens {
  const wanted: Record<string, DenoSymbol> = {};
  for (const [call, spec] of Object.entries(table)) {
    wanted[call] = {
      name: spec.name,
      parameters: spec.parameters.map((kind) => parameterTypes[kind]),
      result: resultTypes[spec.result],
      nonblocking,
      optional,
    };
  }
  const library = deno.dlopen(path, wanted);
  opened.push(library);
  return library.symbols as unknown as Opens;
}

// Bun loads this module too, and has no `Deno`.
const { UnsafePointer, UnsafePointerView } = (deno ?? {}) as DenoGlobal;

const memory: NativeMemory<Handle, bigint, bigint, Handle> = {
  region: (size) => makeRegion(size, (bytes) => UnsafePointer.value(UnsafePointer.of(bytes))),
  at: (region, offset) => offset === 0 ? region.address : region.address + BigInt(offset),
  size: BigInt,
  text: (text) => text === null ? null : UnsafePointerView.getCString(text),
  view: (pointer, bytes) => new DataView(UnsafePointerView.getArrayBuffer(pointer, bytes)),
  value: (pointer) => UnsafePointer.value(pointer),
  pointer: (address) => UnsafePointer.create(address)!,
};

/** Memory on Deno: 64-bit values are bigints, which the fast calls require. */
export const denoMemory: NativeMemory = memory as unknown as NativeMemory;

const RTLD_NOW = 2;
const RTLD_NOLOAD = 4; // On Linux; used nowhere else.
const RTLD_NODELETE = process.platform === "darwin" ? 0x80 : 0x1000;

/**
 * Keeps the library's code mapped until the process ends, by a reference that is never released.
 *
 * Deno closes its libraries after an uncaught error and at the end of a Worker, while libzmq's threads still run in
 * them.
 *
 * @returns Whether it succeeded.
 */
export function pin(path: string): boolean {
  if (pinned.has(path)) return true;
  for (const loader of [path, "libdl.so.2", "libc.so.6"]) {
    const opened: Opened = [];
    try {
      const calls = open<Calls<typeof loaderSymbols>>(opened, loader, loaderSymbols);
      const keep = (name: string) => calls.dlopen(cString(name), RTLD_NOW | RTLD_NODELETE) !== null;
      const kept = keep(path) ||
        (process.platform === "linux" && unpacked(path, calls).map(keep).includes(true));
      if (kept) pinned.add(path);
      return kept;
    } catch {
      // Not in this library.
    } finally {
      for (const library of opened) library.close();
    }
  }
  return false;
}

const pinned = new Set<string>();

/**
 * Finds an embedded libzmq: a compiled program unpacks it to a temporary file whose path only Deno knows. The loader
 * has it in its list of loaded objects.
 */
function unpacked(path: string, { dlopen, dlsym }: Calls<typeof loaderSymbols>): string[] {
  const found: string[] = [];
  // glibc and musl: a handle is the address of a `link_map`, { base, *name, *dynamic, *next, … }.
  let entry = dlopen(null, RTLD_NOW);
  while (entry !== null) {
    const map = new UnsafePointerView(entry);
    const pointer = map.getPointer(8);
    const name = pointer === null ? "" : UnsafePointerView.getCString(pointer);
    if (name !== "" && extname(name) === extname(path)) {
      const handle = dlopen(cString(name), RTLD_NOW | RTLD_NOLOAD);
      if (handle !== null && dlsym(handle, cString(zmqSymbols.ctxNew.name)) !== null) found.push(name);
    }
    entry = map.getPointer(24);
  }
  return found;
}

/** Checks permissions first, because a read without permission would prompt the user. */
export const denoHost: LibraryHost = {
  variable(name) {
    if (deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") {
      return { refused: `not read: that needs --allow-env=${name}` };
    }
    return { value: process.env[name] };
  },
  readRefusal(path) {
    const { state } = deno.permissions.querySync({ name: "read", path });
    return state === "granted" ? null : "not looked at: that needs --allow-read";
  },
  packageFolder(name) {
    try {
      // The cache of npm packages, in use without `node_modules`.
      const found = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
      return this.readRefusal(found) === null && existsSync(join(found, "build")) ? found : null;
    } catch {
      return null;
    }
  },
};
