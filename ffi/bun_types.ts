/** The used part of `bun:ffi`. */
export interface BunFfi {
  dlopen(
    path: string,
    symbols: { readonly [name: string]: { readonly args: readonly string[]; readonly returns: string } },
  ): { readonly symbols: { readonly [name: string]: unknown } };
  ptr(view: Uint8Array): number;
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
}

/** The used part of a socket. */
export interface BunSocket {
  ref(): void;
  unref(): void;
  terminate(): void;
}

/** The used part of the global `Bun`. */
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
