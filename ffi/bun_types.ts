/** What of `bun:ffi` is used here. */
export interface BunFfi {
  dlopen(
    path: string,
    symbols: { readonly [name: string]: { readonly args: readonly string[]; readonly returns: string } },
  ): { readonly symbols: { readonly [name: string]: unknown } };
  ptr(view: Uint8Array): number;
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
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
