import type { Calls, Parameter, Result, SymbolTable } from "./symbols.ts";

declare const pointerBrand: unique symbol;

/** A native pointer as Deno has it. */
export type PointerObject = { readonly [pointerBrand]: true };

/** Deno's names of C types, as far as they are used. */
export type DenoType = "pointer" | "usize" | "buffer" | "i32" | "void";

/** A C function's declaration. */
export interface DenoSymbol {
  readonly name: string;
  readonly parameters: readonly DenoType[];
  readonly result: DenoType;
  readonly nonblocking: boolean;
  readonly optional: boolean;
}

/** What of the global `Deno` is used here. */
export interface DenoGlobal {
  dlopen(
    path: string,
    symbols: { readonly [call: string]: DenoSymbol },
  ): { readonly symbols: { readonly [call: string]: unknown }; close(): void };
  readonly UnsafePointer: {
    of(view: Uint8Array): PointerObject | null;
    value(pointer: PointerObject | null): bigint;
    create(address: bigint): PointerObject | null;
  };
  readonly UnsafePointerView: {
    new (pointer: PointerObject): { getPointer(offset: number): PointerObject | null };
    getCString(pointer: PointerObject): string;
    getArrayBuffer(pointer: PointerObject, length: number): ArrayBuffer;
  };
  readonly permissions: {
    querySync(
      descriptor: { name: "read"; path: string } | { name: "env"; variable: string } | { name: "ffi" },
    ): { readonly state: "granted" | "prompt" | "denied" };
  };
  /** Names the member that holds the private interface. */
  readonly internal?: symbol | undefined;
}

/** Deno's private interface, of which each part may be missing. */
export interface DenoInternal {
  readonly core?: {
    readonly refOpPromise?: ((promise: Promise<unknown>) => void) | undefined;
    readonly unrefOpPromise?: ((promise: Promise<unknown>) => void) | undefined;
  } | undefined;
}

/** What the parameters are: 64 bits wide only as bigint, which is what the fast calls take. */
export interface DenoArguments extends Record<Parameter, unknown> {
  handle: PointerObject | null;
  address: bigint;
  view: Uint8Array | null;
  size: bigint;
  int: number;
}

/** What comes back. */
export interface DenoResults extends Record<Result, unknown> {
  handle: PointerObject | null;
  int: number;
  text: PointerObject | null;
  none: void;
}

/** The functions made of a table. */
export type DenoCalls<Table extends SymbolTable> = Calls<Table, DenoArguments, DenoResults>;
