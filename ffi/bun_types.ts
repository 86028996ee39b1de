import type { Calls, Parameter, Result, SymbolTable } from "./symbols.ts";

/** What of `bun:ffi` is used here. */
export interface BunFfi {
  dlopen(
    path: string,
    symbols: { readonly [name: string]: { readonly args: readonly string[]; readonly returns: string } },
  ): { readonly symbols: { readonly [name: string]: BunFunction } };
  ptr(view: Uint8Array): number;
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
}

/** A C function; `ptr` is its address. */
export interface BunFunction {
  (...parameters: unknown[]): unknown;
  readonly ptr?: number | bigint;
}

/** What of a socket is used here. */
export interface BunSocket {
  ref(): void;
  unref(): void;
  terminate(): void;
}

/** What of the global `Bun` is used here. */
export interface BunGlobal {
  connect(options: {
    readonly fd: number;
    readonly socket: {
      open(socket: BunSocket): void;
      data(): void;
      close(): void;
      error(): void;
      connectError(socket: BunSocket, error: unknown): void;
    };
  }): Promise<unknown>;
}

/** What the parameters are: pointers are numbers. */
export interface BunArguments extends Record<Parameter, unknown> {
  handle: number | null;
  address: number;
  view: Uint8Array | null;
  size: number;
  int: number;
}

/** What comes back. */
export interface BunResults extends Record<Result, unknown> {
  handle: number | null;
  int: number;
  text: string | null;
  none: void;
}

/** The functions made of a table; those of another thread are left out. */
export type BunCalls<Table extends SymbolTable> = Pick<
  Calls<Table, BunArguments, BunResults>,
  { [Call in keyof Table]: Table[Call] extends { readonly nonblocking: true } ? never : Call }[keyof Table]
>;
