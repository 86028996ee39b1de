/**
 * Batches and frames of Velo's streams.
 *
 * Origin: recorded from a running Velo 0.21.0 node, except {@link heartbeatBatch} and {@link frames}, which were made
 * with Velo's own crates (0.9.0). The version byte of {@link heartbeatBatch} is 0.21's.
 */

/** A record of a batch. */
export interface VectorRecord {
  readonly type: number;
  readonly slot: number;
  readonly sequence: number;
  readonly body: string;
}

/** Batches with their records. */
export const batches: readonly {
  name: string;
  hex: string;
  batch: number;
  records: readonly VectorRecord[];
}[] = [
  {
    name: "open",
    hex: "02000001000000000000000100000003 01 00000000 00000000 00000010 0000000000000001 000000000000000b",
    batch: 3,
    records: [{ type: 1, slot: 0, sequence: 0, body: "0000000000000001000000000000000b" }],
  },
  {
    name: "two items",
    hex: "02000002000000000000000100000004 00 00000000 00000001 00000007 81a44974656d07" +
      "00 00000000 00000002 00000009 81a44974656da26869",
    batch: 4,
    records: [
      { type: 0, slot: 0, sequence: 1, body: "81a44974656d07" },
      { type: 0, slot: 0, sequence: 2, body: "81a44974656da26869" },
    ],
  },
  {
    name: "the end",
    hex: "02000002000000000000000100000005 00 00000000 00000003 0000000a a946696e616c697a6564" +
      "02 00000000 00000004 00000001 00",
    batch: 5,
    records: [
      { type: 0, slot: 0, sequence: 3, body: "a946696e616c697a6564" },
      { type: 2, slot: 0, sequence: 4, body: "00" },
    ],
  },
  {
    name: "credit for two items",
    hex: "02000001000000000000000100000000 03 00000000 00000000 00000004 00000002",
    batch: 0,
    records: [{ type: 3, slot: 0, sequence: 0, body: "00000002" }],
  },
  {
    name: "credit for 17 items",
    hex: "02000001000000000000000100000001 03 00000000 00000000 00000004 00000011",
    batch: 1,
    records: [{ type: 3, slot: 0, sequence: 0, body: "00000011" }],
  },
  {
    name: "a slot that is unknown",
    hex: "02000001000000000000000100000002 02 00000100 00000000 00000001 02",
    batch: 2,
    records: [{ type: 2, slot: 0x100, sequence: 0, body: "02" }],
  },
];

/** Open, item and heartbeat in one batch. */
export const heartbeatBatch: (typeof batches)[number] = {
  name: "open, item and heartbeat",
  hex: "02 00 0003 0000000000000001 00000000" +
    "01 00000000 00000000 00000010 0000000000000001 0000000000000005" +
    "00 00000000 00000001 0000000b 81a44974656d9207a26869" +
    "04 00000000 00000002 00000000",
  batch: 0,
  records: [
    { type: 1, slot: 0, sequence: 0, body: "00000000000000010000000000000005" },
    { type: 0, slot: 0, sequence: 1, body: "81a44974656d9207a26869" },
    { type: 4, slot: 0, sequence: 2, body: "" },
  ],
};

/** Frames by kind; `value` is what an item holds, `text` what an error says. */
export const frames: readonly { kind: string; hex: string; value?: string; text?: string }[] = [
  { kind: "item", hex: "81a44974656d07", value: "07" },
  { kind: "item", hex: "81a44974656dcd012c", value: "cd012c" },
  { kind: "item", hex: "81a44974656da26869", value: "a26869" },
  { kind: "item", hex: "81a44974656d 92 07 a26869", value: "9207a26869" },
  { kind: "item", hex: "81a44974656d9201ccc8", value: "9201ccc8" },
  { kind: "senderError", hex: "81ab53656e6465724572726f72a178", text: "x" },
  { kind: "transportError", hex: "81ae5472616e73706f72744572726f72a178", text: "x" },
  { kind: "dropped", hex: "a744726f70706564" },
  { kind: "detached", hex: "a84465746163686564" },
  { kind: "finalized", hex: "a946696e616c697a6564" },
  { kind: "heartbeat", hex: "a9486561727462656174" },
];

/**
 * Frames with items of Rust, as `rmp_serde::to_vec` writes them, and their values here.
 *
 * Origin: the first and the fourth are recorded from Velo's crates, the others follow their rules (structs are arrays of
 * their fields, a variant is its name or a map of its name).
 */
export const rustItems: readonly { name: string; hex: string; value: unknown }[] = [
  { name: "struct { id: u32, text: String }", hex: "81a44974656d 92 07 a26869", value: [7, "hi"] },
  { name: "a struct in a struct", hex: "81a44974656d 92 a161 92 07 a26869", value: ["a", [7, "hi"]] },
  { name: "Option<u32>: None", hex: "81a44974656d c0", value: null },
  { name: "Vec<u8>", hex: "81a44974656d 92 01 ccc8", value: [1, 200] },
  { name: "Bytes", hex: "81a44974656d c402 01c8", value: Uint8Array.of(1, 200) },
  { name: "enum: a variant without a value", hex: "81a44974656d a449646c65", value: "Idle" },
  { name: "enum: a variant with a value", hex: "81a44974656d 81 a442757379 07", value: { Busy: 7 } },
  { name: "u64::MAX", hex: "81a44974656d cf ffffffffffffffff", value: 2n ** 64n - 1n },
];
