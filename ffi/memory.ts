/** A native pointer: a number on Bun, a pointer object on Deno. Only adapters look inside. */
export type Handle = { readonly "~handle": never };

/**
 * Memory with a fixed address while this object exists. Its `ArrayBuffer` is its own, because Bun moves small arrays.
 */
export interface Region {
  /** The memory. */
  readonly bytes: Uint8Array;
  /** A view of the same memory. */
  readonly view: DataView;
  /** The adapter's form of the address; opaque to others. */
  readonly address: unknown;
}

/** An address of a region as the runtime passes it to C: a number on Bun, a bigint on Deno. */
export type Address = { readonly "~address": never };

/** A `size_t` as the runtime passes it to C: a number on Bun, a bigint on Deno. */
export type Size = { readonly "~size": never };

/** A `const char *` from C, in the runtime's form. */
export type Text = { readonly "~text": never };

/** A region whose address can be passed to C. */
export interface NativeRegion<At = Address> extends Region {
  readonly address: At;
}

/** Memory, pointers and sizes of one runtime, whose adapter supplies the opaque types. */
export interface NativeMemory<Pointer = Handle, At = Address, Count = Size, Chars = Text> {
  /** Makes memory with a fixed address. */
  region(size: number): NativeRegion<At>;
  /** *Hot.* An address inside a region. */
  at(region: NativeRegion<At>, offset: number): At;
  /** *Hot.* A `size_t`. */
  size(count: number): Count;
  /** Reads a text from C. */
  text(text: Chars | null): string | null;
  /** C's memory at a pointer. */
  view(pointer: Pointer, bytes: number): DataView;
  /** The address in a pointer. */
  value(pointer: Pointer): bigint;
  /** The pointer to an address. */
  pointer(address: bigint): Pointer;
}

/** Makes a region; `addressOf` returns the runtime's form of an address. */
export function makeRegion<At>(size: number, addressOf: (bytes: Uint8Array) => At): NativeRegion<At> {
  // Not a plain small array, whose bytes Bun moves; and empty memory would have no address.
  const whole = new Uint8Array(new ArrayBuffer(Math.max(8, size)));
  const view = new DataView(whole.buffer, 0, size);
  return { bytes: whole.subarray(0, size), view, address: addressOf(whole) };
}
