import type { Handle } from "./memory.ts";

/** The used names of C types in Deno. */
export type DenoType = "pointer" | "usize" | "buffer" | "i32" | "void";

/** A C function's declaration. */
export interface DenoSymbol {
  readonly name: string;
  readonly parameters: readonly DenoType[];
  readonly result: DenoType;
  readonly nonblocking: boolean;
  readonly optional: boolean;
}

/** The used part of the global `Deno`. */
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
  /** Key of the private interface. */
  readonly internal?: symbol | undefined;
}

/** Deno's private interface; each part may be missing. */
export interface DenoInternal {
  readonly core?: {
    readonly refOpPromise?: ((promise: Promise<unknown>) => void) | undefined;
    readonly unrefOpPromise?: ((promise: Promise<unknown>) => void) | undefined;
  } | undefined;
}
