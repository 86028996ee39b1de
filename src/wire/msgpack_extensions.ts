/** MessagePack extension types of a payload; `ARCHITECTURE.md` gives the bytes of each. */
export const Extension = {
  /** The standard's timestamp, -1. */
  timestamp: 0xff,
  /** Two's complement, most significant byte first. */
  bigint: 0x10,
  /** `undefined` in an array, a Map or a Set. */
  undefined: 0x11,
  /** An array of keys and values in turns. */
  map: 0x12,
  /** An array of its values. */
  set: 0x13,
  /** Memory: one byte for its kind, then its bytes, little-endian elements. */
  memory: 0x14,
} as const;

/** A class of memory in an {@link Extension.memory}; a `Uint8Array` is a MessagePack binary instead. */
export interface MemoryKind {
  /** Its number on the wire. */
  readonly code: number;
  /** Bytes of an element. */
  readonly width: number;
  /** Makes an object over the given memory. */
  readonly make: (memory: ArrayBuffer) => ArrayBuffer | ArrayBufferView;
}

interface ArrayClass {
  readonly BYTES_PER_ELEMENT: number;
  new (memory: ArrayBuffer): ArrayBufferView;
}

const elements: readonly (readonly [name: string, code: number])[] = [
  ["Int8Array", 2],
  ["Uint8ClampedArray", 3],
  ["Int16Array", 4],
  ["Uint16Array", 5],
  ["Int32Array", 6],
  ["Uint32Array", 7],
  ["Float16Array", 8],
  ["Float32Array", 9],
  ["Float64Array", 10],
  ["BigInt64Array", 11],
  ["BigUint64Array", 12],
];

/** The kinds by class name. */
export const memoryKinds: ReadonlyMap<string, MemoryKind> = new Map([
  ["ArrayBuffer", { code: 0, width: 1, make: (memory: ArrayBuffer) => memory }],
  ["DataView", { code: 1, width: 1, make: (memory: ArrayBuffer) => new DataView(memory) }],
  ...elements.flatMap(([name, code]): [string, MemoryKind][] => {
    const made = (globalThis as unknown as Record<string, ArrayClass | undefined>)[name];
    if (made === undefined) return [];
    return [[name, { code, width: made.BYTES_PER_ELEMENT, make: (memory) => new made(memory) }]];
  }),
]);

/** The kinds by their number on the wire. */
export const memoryKindByCode: ReadonlyMap<number, MemoryKind> = new Map(
  [...memoryKinds.values()].map((kind) => [kind.code, kind]),
);
