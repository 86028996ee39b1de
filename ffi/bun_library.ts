import * as bunFfi from "bun:ffi";
import process from "node:process";
import type { Handle, Region } from "./backend.ts";
import type { BunCalls, BunFfi } from "./bun_types.ts";
import { Holdings } from "./holdings.ts";
import type { LibraryHost } from "./library.ts";
import {
  darwinSymbols,
  linuxSymbols,
  optionalSymbols,
  type Parameter,
  type Result,
  type SymbolTable,
  type System,
  threadSymbols,
  zmqSymbols,
} from "./symbols.ts";

/** `bun:ffi` as far as it is used, which makes it the same for every type checker. */
export const ffi: BunFfi = bunFfi as unknown as BunFfi;

const parameterTypes: { readonly [Kind in Parameter]: string } = {
  handle: "ptr",
  address: "ptr",
  view: "ptr",
  size: "u64",
  int: "i32",
};

// No result is declared 64 bits wide, since Bun makes a bigint even of a small one.
const resultTypes: { readonly [Kind in Result]: string } = {
  handle: "ptr",
  int: "i32",
  text: "cstring",
  none: "void",
};

function open<Table extends SymbolTable>(path: string, table: Table): BunCalls<Table> {
  const specs = Object.entries(table).filter(([, spec]) => spec.nonblocking === undefined);
  const wanted = Object.fromEntries(
    specs.map(([, spec]) => [
      spec.name,
      { args: spec.parameters.map((kind) => parameterTypes[kind]), returns: resultTypes[spec.result] },
    ]),
  );
  const { symbols } = ffi.dlopen(path, wanted);
  return Object.fromEntries(specs.map(([call, spec]) => [call, symbols[spec.name]])) as unknown as BunCalls<
    Table
  >;
}

function openOptional<Table extends SymbolTable>(path: string, table: Table): Partial<BunCalls<Table>> {
  const found: Partial<BunCalls<Table>> = {};
  // One at a time, since one missing symbol fails the whole of a `dlopen`.
  for (const [call, spec] of Object.entries(table)) {
    try {
      Object.assign(found, open(path, { [call]: spec }));
    } catch {
      // This build has none: its absence is what the caller looks at.
    }
  }
  return found;
}

/** A region as this adapter makes it: its address is a number. */
export interface BunRegion extends Region {
  readonly address: number;
}

/** Memory with a fixed address. */
export function makeRegion(size: number): BunRegion {
  // A buffer of its own: Bun moves the bytes of small plain arrays. Empty memory would have no address.
  const whole = new Uint8Array(new ArrayBuffer(Math.max(8, size)));
  return {
    bytes: whole.subarray(0, size),
    view: new DataView(whole.buffer, 0, size),
    address: ffi.ptr(whole),
  };
}

function wide(pointer: number | null): bigint | null {
  return pointer === null ? null : BigInt(pointer);
}

/** An opened libzmq, with what of libc came along. */
export interface BunLibrary {
  readonly path: string;
  readonly zmq: BunCalls<typeof zmqSymbols>;
  readonly optional: Partial<BunCalls<typeof optionalSymbols>>;
  readonly threads: Partial<BunCalls<typeof threadSymbols>>;
  readonly system: System;
}

/** Opens a path with all required symbols, or throws with the loader's text. */
export function openBunLibrary(path: string): BunLibrary {
  const zmq = open(path, zmqSymbols);
  // A number is a fine `address` here, so the shared form of the calls is what Bun makes of the table.
  const system =
    (process.platform === "darwin"
      ? { platform: "darwin", calls: open(path, darwinSymbols), region: makeRegion, holdings: null }
      : {
        platform: "linux",
        calls: open(path, linuxSymbols),
        region: makeRegion,
        holdings: null,
      }) as unknown as System;
  const optional = openOptional(path, optionalSymbols);
  const { gettid, bindtextdomain } = optional;
  if (system.platform === "linux" && gettid !== undefined && bindtextdomain !== undefined) {
    system.holdings = new Holdings({
      path,
      system,
      thread: gettid(),
      bindtextdomain: (domain, folder) => wide(bindtextdomain(domain, folder)),
      memory: {
        allocate: (size) => wide(system.calls.calloc(1, size) as number | null),
        free: (address) => system.calls.free(Number(address)),
        at: (address, size) => new DataView(ffi.toArrayBuffer(Number(address), 0, size)),
        addressOf: (handle) => BigInt(handle as unknown as number),
        handleOf: (address) => Number(address) as unknown as Handle,
      },
    });
  }
  return { path, zmq, optional, threads: openOptional(path, threadSymbols), system };
}

/** Bun asks for no permissions. */
export const bunHost: LibraryHost = {
  variable: (name) => ({ value: process.env[name] }),
  readRefusal: () => null,
};
