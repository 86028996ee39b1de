import type { Handle } from "./memory.ts";

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
    of(view: Uint8Array): Handle | null;
    value(pointer: Handle | null): bigint;
    create(address: bigint): Handle | null;
  };
  readonly UnsafePointerView: {
    new (pointer: Handle): { getPointer(offset: number): Handle | null };
    getCString(pointer: Handle): string;
    getArrayBuffer(pointer: Handle, length: number): ArrayBuffer;
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
