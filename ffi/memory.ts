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

/** Where memory of ours lies, as the runtime passes it to C: a number on Bun, a bigint on Deno. */
export type Address = { readonly "~address": never };

/** A `size_t` as the runtime passes it to C: a number on Bun, a bigint on Deno. */
export type Size = { readonly "~size": never };

/** A `const char *` that C gave out, as the runtime has it. */
export type Text = { readonly "~text": never };

/** A region whose address can be passed to C. */
export interface NativeRegion<At = Address> extends Region {
  readonly address: At;
}

/** Memory, pointers and sizes as one runtime has them; an adapter fills in what it has for each of the opaque types. */
export interface NativeMemory<Pointer = Handle, At = Address, Count = Size, Chars = Text> {
  /** Makes memory with a fixed address. */
  region(size: number): NativeRegion<At>;
  /** *Hot.* An address inside a region. */
  at(region: NativeRegion<At>, offset: number): At;
  /** *Hot.* A number of bytes, or of anything else that C counts in a `size_t`. */
  size(count: number): Count;
  /** What C gave as a text. */
  text(text: Chars | null): string | null;
  /** Memory of C's at a pointer. */
  view(pointer: Pointer, bytes: number): DataView;
  /** The address in a pointer. */
  value(pointer: Pointer): bigint;
  /** The pointer to an address. */
  pointer(address: bigint): Pointer;
}

/** Makes a region; `addressOf` says where a runtime has its memory. */
export function makeRegion<At>(size: number, addressOf: (bytes: Uint8Array) => At): NativeRegion<At> {
  // A buffer of its own: Bun moves the bytes of small plain arrays. Empty memory would have no address.
  const whole = new Uint8Array(new ArrayBuffer(Math.max(8, size)));
  const view = new DataView(whole.buffer, 0, size);
  return { bytes: whole.subarray(0, size), view, address: addressOf(whole) };
}
