import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { cString } from "./c_string.ts";
import type { Handle, Region } from "./backend.ts";
import type { DenoCalls, DenoGlobal, DenoSymbol, DenoType, PointerObject } from "./deno_types.ts";
import { Holdings } from "./holdings.ts";
import type { LibraryHost } from "./library.ts";
import {
  darwinSymbols,
  linuxSymbols,
  loaderSymbols,
  optionalSymbols,
  type Parameter,
  type Result,
  type SymbolTable,
  type System,
  zmqSymbols,
} from "./symbols.ts";

/** Deno as far as it is used, which makes it the same for every type checker. */
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

/** What was opened, to be closed together. */
type Opened = ReturnType<DenoGlobal["dlopen"]>[];

function open<Table extends SymbolTable>(
  opened: Opened,
  path: string,
  table: Table,
  optional: boolean,
): DenoCalls<Table> {
  const wanted: Record<string, DenoSymbol> = {};
  for (const [call, spec] of Object.entries(table)) {
    wanted[call] = {
      name: spec.name,
      parameters: spec.parameters.map((kind) => parameterTypes[kind]),
      result: resultTypes[spec.result],
      nonblocking: spec.nonblocking === true,
      optional,
    };
  }
  const library = deno.dlopen(path, wanted);
  opened.push(library);
  return library.symbols as unknown as DenoCalls<Table>;
}

/** libc as Deno calls it. */
export type DenoSystem = DenoCalls<typeof linuxSymbols>;

/** A region as this adapter makes it: its address is a bigint. */
export interface DenoRegion extends Region {
  readonly address: bigint;
}

/** Memory with a fixed address. */
export function makeRegion(size: number): DenoRegion {
  // The same rule as on Bun, a buffer of its own; and empty memory would have no address.
  const whole = new Uint8Array(new ArrayBuffer(Math.max(8, size)));
  const address = deno.UnsafePointer.value(deno.UnsafePointer.of(whole));
  return { bytes: whole.subarray(0, size), view: new DataView(whole.buffer, 0, size), address };
}

/** Memory for one `pollfd` that belongs to C. */
export interface PollMemory {
  readonly address: bigint;
  /** The descriptor, and the events. */
  readonly words: Int32Array;
  /** Gives it back; no call uses it any more. */
  free(): void;
}

/**
 * Memory for a wait on another thread. It is not JavaScript's: a Worker that is terminated leaves its wait behind, which
 * writes here when it ends.
 */
function pollMemory(raw: DenoSystem): PollMemory {
  const memory = raw.calloc(1n, 8n);
  if (memory === null) throw new Error("there is no memory for a wait");
  return {
    address: deno.UnsafePointer.value(memory),
    words: new Int32Array(deno.UnsafePointerView.getArrayBuffer(memory, 8)),
    free: () => raw.free(memory),
  };
}

/** An opened libzmq, with what of libc came along. */
export interface DenoLibrary {
  readonly path: string;
  readonly zmq: DenoCalls<typeof zmqSymbols>;
  readonly optional: {
    readonly [Call in keyof typeof optionalSymbols]: DenoCalls<typeof optionalSymbols>[Call] | null;
  };
  readonly system: System;
  /** `poll` on another thread. */
  readonly pollAway: DenoSystem["pollAway"];
  /** What it polls. */
  readonly pollMemory: () => PollMemory;
  /** Gives Deno's handles of it back, once no call runs. Its code stays, for calls that come after all. */
  close(): void;
}

const RTLD_NOW = 2;
const RTLD_NOLOAD = 4; // On Linux; used nowhere else.
const RTLD_NODELETE = process.platform === "darwin" ? 0x80 : 0x1000;

/** Opens a path with all required symbols, or throws with the loader's text. */
export function openDenoLibrary(path: string): DenoLibrary {
  const opened: Opened = [];
  const close = (): void => {
    for (const library of opened.splice(0)) library.close();
  };
  try {
    return openParts(path, opened, close);
  } catch (error) {
    close();
    throw error;
  }
}

function openParts(path: string, opened: Opened, close: () => void): DenoLibrary {
  const zmq = open(opened, path, zmqSymbols, false);
  const darwin = process.platform === "darwin";
  // Both tables hold what is used by name below; the others are reached through `system` only.
  const raw = open(opened, path, darwin ? darwinSymbols : linuxSymbols, false) as unknown as DenoSystem;
  const stays = pin(path);
  const optional: DenoLibrary["optional"] = open(opened, path, optionalSymbols, true);
  const system = sharedCalls(raw, darwin);
  const { gettid, bindtextdomain } = optional;
  if (system.platform === "linux" && stays && gettid !== null && bindtextdomain !== null) {
    const { UnsafePointer, UnsafePointerView } = deno;
    const wide = (pointer: PointerObject | null) => pointer === null ? null : UnsafePointer.value(pointer);
    const pointer = (address: bigint) => UnsafePointer.create(address)!;
    system.holdings = new Holdings({
      path,
      system,
      thread: gettid(),
      bindtextdomain: (domain, folder) => wide(bindtextdomain(domain, folder)),
      memory: {
        allocate: (size) => wide(raw.calloc(1n, BigInt(size))),
        free: (address) => raw.free(pointer(address)),
        at: (address, size) => new DataView(UnsafePointerView.getArrayBuffer(pointer(address), size)),
        addressOf: (handle) => UnsafePointer.value(handle as unknown as PointerObject),
        handleOf: (address) => pointer(address) as unknown as Handle,
      },
    });
  }
  return {
    path,
    zmq,
    optional,
    system,
    pollAway: raw.pollAway,
    pollMemory: () => pollMemory(raw),
    // Code that is not pinned must not go while anything may still run in it.
    close: () => stays && close(),
  };
}

/**
 * Keeps the library's code mapped until the process ends, with one more reference that is never given back.
 *
 * Deno closes its libraries when it dies of an uncaught error and when a Worker ends, while libzmq's threads
 * still run in them.
 *
 * @returns Whether it did.
 */
function pin(path: string): boolean {
  if (pinned.has(path)) return true;
  for (const loader of [path, "libdl.so.2", "libc.so.6"]) {
    const opened: Opened = [];
    try {
      const calls = open(opened, loader, loaderSymbols, false);
      const keep = (name: string) => calls.dlopen(cString(name), RTLD_NOW | RTLD_NODELETE) !== null;
      const kept = keep(path) ||
        (process.platform === "linux" && unpacked(path, calls).map(keep).includes(true));
      if (kept) pinned.add(path);
      return kept;
    } catch {
      // Not in this one.
    } finally {
      for (const library of opened) library.close();
    }
  }
  return false;
}

const pinned = new Set<string>();

/**
 * Where a libzmq lies whose path only Deno knows: a compiled program unpacks what it carries to a temporary file
 * and tells nobody where. The loader knows, in the list of everything that is loaded.
 */
function unpacked(path: string, { dlopen, dlsym }: DenoCalls<typeof loaderSymbols>): string[] {
  const found: string[] = [];
  // glibc and musl: a handle is the address of a `link_map`, { base, *name, *dynamic, *next, … }.
  let entry = dlopen(null, RTLD_NOW);
  while (entry !== null) {
    const map = new deno.UnsafePointerView(entry);
    const pointer = map.getPointer(8);
    const name = pointer === null ? "" : deno.UnsafePointerView.getCString(pointer);
    if (name !== "" && extname(name) === extname(path)) {
      const handle = dlopen(cString(name), RTLD_NOW | RTLD_NOLOAD);
      if (handle !== null && dlsym(handle, cString(zmqSymbols.ctxNew.name)) !== null) found.push(name);
    }
    entry = map.getPointer(24);
  }
  return found;
}

/** libc for shared code, which gives sizes as numbers. */
function sharedCalls(raw: DenoSystem, darwin: boolean): System {
  const calls = {
    ...raw,
    poll: (fds: bigint, count: number, timeout: number) => raw.poll(fds, BigInt(count), timeout),
    ppoll: (fds: bigint, count: number, timeout: bigint, signals: Uint8Array | null) =>
      raw.ppoll(fds, BigInt(count), timeout, signals),
    read: (fd: number, buffer: bigint, length: number) => raw.read(fd, buffer, BigInt(length)),
    write: (fd: number, buffer: bigint, length: number) => raw.write(fd, buffer, BigInt(length)),
    readlink: (path: Uint8Array, buffer: bigint, length: number) =>
      raw.readlink(path, buffer, BigInt(length)),
  };
  return {
    platform: darwin ? "darwin" : "linux",
    calls,
    region: makeRegion,
    holdings: null,
  } as unknown as System;
}

/** Asks before it looks, because a look without permission would ask the person at the terminal. */
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
      // The cache of npm packages, which is used when there is no `node_modules`.
      const found = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
      return this.readRefusal(found) === null && existsSync(join(found, "build")) ? found : null;
    } catch {
      return null;
    }
  },
};
