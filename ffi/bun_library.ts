import process from "node:process";
import type { BunFfi } from "./bun_types.ts";
import { makeRegion, type NativeMemory } from "./memory.ts";
import type { Calls, OptionalCalls, Parameter, Result, SymbolTable } from "./symbols.ts";

/** The used part of `bun:ffi`. Not imported, since Deno loads this module too. */
const ffi = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;

const parameterTypes: { readonly [Kind in Parameter]: string } = {
  handle: "ptr",
  address: "ptr",
  view: "ptr",
  size: "u64",
  int: "i32",
};

// No result is declared 64 bits wide, since Bun returns a bigint even for a small one.
const resultTypes: { readonly [Kind in Result]: string } = {
  handle: "ptr",
  int: "i32",
  text: "cstring",
  none: "void",
};

/** Opens functions of a library, or throws with the loader's text. */
export function open<Table extends SymbolTable>(path: string, table: Table): Calls<Table> {
  const specs = Object.entries(table);
  const wanted = Object.fromEntries(
    specs.map(([, spec]) => [
      spec.name,
      { args: spec.parameters.map((kind) => parameterTypes[kind]), returns: resultTypes[spec.result] },
    ]),
  );
  const { symbols } = ffi.dlopen(path, wanted);
  return Object.fromEntries(specs.map(([call, spec]) => [call, symbols[spec.name]])) as unknown as Calls<
    Table
  >;
}

/** The same for optional functions. */
export function openOptional<Table extends SymbolTable>(path: string, table: Table): OptionalCalls<Table> {
  const found = {};
  // One at a time, since one missing symbol fails a whole `dlopen`.
  for (const [call, spec] of Object.entries(table)) {
    try {
      Object.assign(found, open(path, { [call]: spec }));
    } catch {
      // Missing in this build; callers check for its absence.
    }
  }
  return found;
}

// Pointers and sizes are numbers, and C's text is an object that resembles a string.
const memory: NativeMemory<number, number, number, { toString(): string }> = {
  region: (size) => makeRegion(size, (bytes) => ffi.ptr(bytes)),
  at: (region, offset) => region.address + offset,
  size: (count) => count,
  text: (text) => text?.toString() ?? null,
  view: (pointer, bytes) => new DataView(ffi.toArrayBuffer(pointer, 0, bytes)),
  value: BigInt,
  pointer: Number,
};

/** Memory on Bun. */
export const bunMemory: NativeMemory = memory as unknown as NativeMemory;
