/** A native pointer: a number on Bun, a pointer object on Deno. Only adapters look inside. */
export type Handle = { readonly "~handle": never };

/**
 * Memory of ours whose address is fixed for as long as this object is kept.
 *
 * `bytes` lies over an `ArrayBuffer` of its own, because Bun moves small plain arrays.
 */
export interface Region {
  /** The memory. */
  readonly bytes: Uint8Array;
  /** The same memory for numbers. */
  readonly view: DataView;
  /** What the adapter stored to find the memory again; nobody else reads it. */
  readonly address: unknown;
}
