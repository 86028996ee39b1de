/**
 * What zeromesh adds to Velo, byte for byte.
 *
 * Origin: zeromesh wire version 1, worked out by hand from ARCHITECTURE.md, "Wire". Node A is that of
 * `velo_headers.ts`. Bars only group the bytes.
 */

/** A batch of a request, an ack and a response, as its two frames. */
export const batch = {
  type: 0x40,
  header: "01|03000000",
  records: [
    {
      type: 0,
      header: "01020626a52848d9b265010000000000000003006164640000",
      payload: "7b2261223a312c2262223a327d",
    },
    { type: 2, header: "000626a52848d9b2653412060504030201", payload: "" },
    { type: 1, header: "0626a52848d9b26501000000000000 00000000", payload: "7b2273756d223a337d" },
  ],
  payload:
    "00|19000000|0d000000|01020626a52848d9b265010000000000000003006164640000|7b2261223a312c2262223a327d" +
    "02|11000000|00000000|000626a52848d9b2653412060504030201|" +
    "01|13000000|09000000|0626a52848d9b26501000000000000 00000000|7b2273756d223a337d",
};

/** A request of node A to `add`, slot 1, with 1500 ms left. */
export const ttl = {
  ms: 1500,
  text: "1500",
  headers: "81|a4 5f74746c|a4 31353030",
  request: "01020626a52848d9b26501000000000000000300616464|0b00|81a45f74746ca431353030",
};

/** Header maps with only `_ttl`. */
export const ttlMaps: readonly { ms: number; hex: string }[] = [
  { ms: 0, hex: "81a45f74746ca130" },
  { ms: 30_000, hex: "81a45f74746ca53330303030" },
  { ms: 9_007_199_254_740_991, hex: "81a45f74746cb039303037313939323534373430393931" },
];

/** The response to that request when the handler throws its contract's error `OUT_OF_STOCK`. */
export const failure = {
  code: "OUT_OF_STOCK",
  data: { left: 0 },
  headers: "82|a5 5f636f6465|ac 4f55545f4f465f53544f434b|a5 5f64617461|aa 7b226c656674223a307d",
  response: "0626a52848d9b2650100000000000000|01|2500|" +
    "82a55f636f6465ac4f55545f4f465f53544f434ba55f64617461aa7b226c656674223a307d",
  payload: "None left",
};

/** Requests of node A to `add`, slot 1, by a contract without an answer. */
export const am = [
  { kind: 0, request: "01|80|0626a52848d9b2650100000000000000|0300|616464|0000" },
  { kind: 1, request: "01|81|0626a52848d9b2650100000000000000|0300|616464|0000" },
];

/** A message of node A for `_work`, slot 1, that has used up credit. */
export const credited = "01|40|0626a52848d9b2650100000000000000|0500|5f776f726b|0000";

/** A request of node A to `add`, slot 1, with 1026 bytes of metadata, a string of 1024 letters, before its payload. */
export const largeMetadata = {
  headers: { _metadata_bytes: "1026" },
  request: "01020626a52848d9b26501000000000000000300616464|1600|81af5f6d657461646174615f6279746573a431303236",
};

/** A header map that marks a MessagePack payload, and such a payload. */
export const msgpack = {
  headers: { _enc: "msgpack" },
  headersHex: "81|a4 5f656e63|a7 6d73677061636b",
  value: { a: 1, b: "two", c: [true, null, 1.5], d: new Uint8Array([1, 2]) },
  hex: "84 a161 01 a162 a374776f a163 93 c3 c0 cb3ff8000000000000 a164 c402 0102",
};

/** Extensions of MessagePack payloads, one of each. */
export const msgpackExtensions = {
  bigint: { value: 5n, hex: "c701 10 05" },
  negative: { value: -(2n ** 64n), hex: "c709 10 ff0000000000000000" },
  undefined: { value: [undefined], hex: "91 d41100" },
  map: { value: new Map([["a", 1]]), hex: "c900000004 12 92 a161 01" },
  set: { value: new Set([1]), hex: "c900000002 13 91 01" },
  memory: { value: new Float32Array([1.5]), hex: "c705 14 09 0000c03f" },
};

/** The cancellation of the call with slot 0x1234 and generation 0x010203040506 of node A: its request and payload. */
export const cancel = {
  payload: "0626a52848d9b265|3412|060504030201",
  request: "01000626a52848d9b265060000000000000007005f63616e63656c0000",
  slot: 6,
};

/** `_hello` of node A and its answer, with everything we may name. */
export const hello = {
  instanceId: "a0112233-4455-4677-8899-aabbccddeeff",
  features: ["batch", "errors", "same-connection", "deadline", "cancel", "msgpack", "credit"],
  request:
    '{"peer_info":{"instance_id":"a0112233-4455-4677-8899-aabbccddeeff","worker_address":[129,163,122,109,113,220,0,20,' +
    "116,99,112,58,47,47,49,50,55,46,48,46,48,46,49,58,53,53,53,53]}," +
    '"zeromesh":{"v":1,"features":["batch","errors","same-connection","deadline","cancel","msgpack","credit"],' +
    '"instance_id":"a0112233-4455-4677-8899-aabbccddeeff"}}',
  handlers: ["_hello", "_list_handlers", "add"],
  replyInstanceId: "0f1e2d3c-4b5a-4968-8778-695a4b3c2d1e",
  reply: '{"handlers":["_hello","_list_handlers","add"],"zeromesh":{"v":1,"features":["batch","errors"],' +
    '"instance_id":"0f1e2d3c-4b5a-4968-8778-695a4b3c2d1e",' +
    '"run":"6b1d9c2e-0a4f-4c7b-9d35-e2f18a7c4b06","name":"till-3"}}',
  replyRun: "6b1d9c2e-0a4f-4c7b-9d35-e2f18a7c4b06",
  replyName: "till-3",
};

/** The worker address of an instance with two endpoints. */
export const address = {
  endpoints: ["tcp://127.0.0.1:5555", "ipc:///tmp/a"],
  hex: "82|a3 7a6d71|dc0014 7463703a2f2f3132372e302e302e313a35353535|" +
    "a8 7a65726f6d657368|dc0027 5b227463703a2f2f3132372e302e302e313a35353535222c226970633a2f2f2f746d702f61225d",
};

/** Node A, in slot 6, tells that 3000 messages and 5 GiB may have been sent to it since the connection began. */
export const credit = {
  total: { count: 3_000, bytes: 5 * 2 ** 30 },
  payload: "b80b000000000000|0000004001000000",
  request: "01000626a52848d9b265060000000000000007005f6372656469740000",
  slot: 6,
};

/** A batch of streams with credit for 4 items and 256 bytes to slot 1: batch 7 of epoch 1. */
export const streamCredit = {
  hex: "02000001000000000000000100000007 03 00000100 00000000 00000008 00000004 00000100",
  slot: 0x100,
  items: 4,
  bytes: 256,
  epoch: 1,
  batch: 7,
} as const;
