/**
 * Header frames of Velo, byte for byte.
 *
 * Origin: Velo 0.9.0 / 0.21.0. Those of node A and B were made with Velo's own crates and its fixed-header
 * encoders (0.9.0) and replayed against nodes of both versions; "live" ones were recorded from a running 0.21.0
 * node. Bars only group the bytes.
 */

/** Node A, the requester in most vectors. */
export const nodeA = {
  instanceId: "a0112233-4455-4677-8899-aabbccddeeff",
  workerId: 7328158447628002822n,
  workerBytes: "0626a52848d9b265",
  endpoint: "tcp://127.0.0.1:5555",
};

/** Node B, the responder. */
export const nodeB = {
  instanceId: "0f1e2d3c-4b5a-4968-8778-695a4b3c2d1e",
  workerId: 3048459635754632962n,
  workerBytes: "02874525e34d4e2a",
  endpoint: "tcp://127.0.0.1:5556",
};

/** A running 0.21.0 node, as recorded. */
export const nodeLive = {
  instanceId: "ba36bdcb-52c5-4377-916d-2dcbe4f37584",
  workerId: 0x46fc68830590a0c0n,
  workerBytes: "c0a090058368fc46",
  endpoint: "tcp://127.0.0.1:5556",
};

const workerEvents = 6184081821072990269n;

/** The header map of the vectors with a trace. */
export const trace = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
/** The header map {@link trace}, encoded. */
export const traceHex =
  "81ab7472616365706172656e74d93730302d34626639326633353737623334646136613363653932396430653065" +
  "343733362d303066303637616130626139303262372d3031";

/** A request header and what it says. */
export interface RequestVector {
  title: string;
  hex: string;
  kind: 0 | 1 | 2;
  worker: bigint;
  slot: number;
  generation: bigint;
  name: string;
  headers: Record<string, string> | null;
}

const request = (
  title: string,
  hex: string,
  kind: 0 | 1 | 2,
  worker: bigint,
  slot: number,
  name: string,
  headers: Record<string, string> | null = null,
  generation = 0n,
): RequestVector => ({ title, hex, kind, worker, slot, generation, name, headers });

const a = nodeA.workerId;
const live = nodeLive.workerId;

/** Every request header. */
export const requests: readonly RequestVector[] = [
  request("_hello", "01|02|0626a52848d9b265 0000 000000000000|0600|5f68656c6c6f|0000", 2, a, 0, "_hello"),
  request("typed unary", "01020626a52848d9b265010000000000000003006164640000", 2, a, 1, "add"),
  request(
    "typed unary with a trace",
    `01020626a52848d9b26501000100000000000300616464 4600 ${traceHex}`,
    2,
    a,
    1,
    "add",
    trace,
    1n,
  ),
  request("fire, no headers", "01000626a52848d9b26502000000000000000400666972650000", 0, a, 2, "fire"),
  request("fire, empty map", "01000626a52848d9b2650200000000000000040066697265010080", 0, a, 2, "fire", {}),
  request(
    "acknowledged",
    "01010626a52848d9b265341206050403020104006e6f74650000",
    1,
    a,
    0x1234,
    "note",
    null,
    0x010203040506n,
  ),
  request(
    "_list_handlers",
    "01020626a52848d9b26505000000000000000e005f6c6973745f68616e646c6572730000",
    2,
    a,
    5,
    "_list_handlers",
  ),
  request(
    "staged payload",
    "01020626a52848d9b26503000000000000000400626c6f622e0081a35f7276d927" +
      "313335313830363633343134393836343438363334333734323734373735323032363630333533",
    2,
    a,
    3,
    "blob",
    { _rv: "135180663414986448634374274775202660353" },
  ),
  request(
    "_event_subscribe",
    "01000626a52848d9b265040000000000000010005f6576656e745f7375627363726962650000",
    0,
    a,
    4,
    "_event_subscribe",
  ),
  request(
    "refused while draining",
    "01020626a52848d9b265320000000000000004006563686f050081a161a162",
    2,
    a,
    0x32,
    "echo",
    { a: "b" },
  ),
  request("live _hello", "0102c0a090058368fc46010000000000000006005f68656c6c6f0000", 2, live, 1, "_hello"),
  request("live typed unary", "0102c0a090058368fc46000000000000000003006164640000", 2, live, 0, "add"),
  request("live unary", "0102c0a090058368fc46070000000000000004006563686f0000", 2, live, 7, "echo"),
  request("live acknowledged", "0101c0a090058368fc46140000000000000004006e6f74650000", 1, live, 0x14, "note"),
  request("live fire", "0100c0a090058368fc46190000000000000004006e6f74650000", 0, live, 0x19, "note"),
  request(
    "live fire, one header",
    "0100c0a090058368fc461a0000000000000004006e6f7465050081a161a162",
    0,
    live,
    0x1a,
    "note",
    { a: "b" },
  ),
  request(
    "live fire, empty map",
    "0100c0a090058368fc461b0000000000000004006e6f7465010080",
    0,
    live,
    0x1b,
    "note",
    {},
  ),
  request(
    "live staged payload",
    "01023da001cfa645d255020000000000000003006269672e0081a35f7276d927" +
      "313134303736313734363834323133313534393934363830393838373336333231323234373035",
    2,
    workerEvents,
    2,
    "big",
    { _rv: "114076174684213154994680988736321224705" },
  ),
  request(
    "live _event_subscribe",
    "01003da001cfa645d255230000000000000010005f6576656e745f7375627363726962650000",
    0,
    workerEvents,
    0x23,
    "_event_subscribe",
  ),
  request(
    "live _event_trigger_request",
    "01003da001cfa645d255280000000000000016005f6576656e745f747269676765725f726571756573740000",
    0,
    workerEvents,
    0x28,
    "_event_trigger_request",
  ),
  request(
    "live _event_trigger",
    "01003da001cfa645d25516000000000000000e005f6576656e745f747269676765720000",
    0,
    workerEvents,
    0x16,
    "_event_trigger",
  ),
  request(
    "live _stream_batch",
    "0100f63fc853abc0bde804000000000000000d005f73747265616d5f62617463680000",
    0,
    0xe8bdc0ab53c83ff6n,
    4,
    "_stream_batch",
  ),
];

/** A reply (message type 1 or 2) to node A: its header, and its payload as text. */
export interface ReplyVector {
  title: string;
  type: 1 | 2;
  hex: string;
  slot: number;
  generation: bigint;
  failed: boolean;
  headers: Record<string, string> | null;
  payload: string;
}

const reply = (
  title: string,
  type: 1 | 2,
  hex: string,
  slot: number,
  failed: boolean,
  payload: string,
  headers: Record<string, string> | null = null,
  generation = 0n,
): ReplyVector => ({ title, type, hex, slot, generation, failed, headers, payload });

/** Every response, ack and nack header, all of them to node A. */
export const replies: readonly ReplyVector[] = [
  reply(
    "_hello answered",
    1,
    "0626a52848d9b265 0000 000000000000 00 0000",
    0,
    false,
    '{"handlers":["_hello","_list_handlers","add"]}',
  ),
  reply("result", 1, "0626a52848d9b265 0100 000000000000|00|0000", 1, false, '{"sum":3}'),
  reply("handler error", 1, "0626a52848d9b2650100000000000000 01 0000", 1, true, "boom"),
  reply(
    "result, echoed trace",
    1,
    `0626a52848d9b2650100010000000000 00 4600 ${traceHex}`,
    1,
    false,
    '{"sum":3}',
    trace,
    1n,
  ),
  reply(
    "live input error",
    1,
    "0626a52848d9b2650100000000000000 01 0000",
    1,
    true,
    "Failed to deserialize input: missing field `b` at line 1 column 7",
  ),
  reply("live unit result", 1, "0626a52848d9b2650100000000000000 00 0000", 1, false, "null"),
  reply("live unary without result", 1, "0626a52848d9b2650600000000000000 00 0000", 6, false, ""),
  reply(
    "live unary to an am handler",
    1,
    "0626a52848d9b2650800000000000000 01 0000",
    8,
    true,
    "Unary message incorrectly routed to AM handler 'note'",
  ),
  reply("live empty map echoed", 1, "0626a52848d9b2650600000000000000 00 0100 80", 6, false, "", {}),
  reply(
    "handler not found",
    2,
    "02 0626a52848d9b2650100000000000000",
    1,
    true,
    "Handler 'add' not found",
  ),
  reply("ack", 2, "000626a52848d9b2653412060504030201", 0x1234, false, "", null, 0x010203040506n),
  reply("nack", 2, "020626a52848d9b2653412060504030201", 0x1234, true, "bad", null, 0x010203040506n),
  reply("live not found", 2, "02 0626a52848d9b2650100000000000000", 1, true, "Handler 'nosuch' not found"),
  reply("live panic", 2, "02 0626a52848d9b2650700000000000000", 7, true, "Handler failed: handler panicked"),
  reply("live ack of a unary handler", 2, "00 0626a52848d9b2650800000000000000", 8, false, ""),
];

/** The response id of the vectors with slot 0x1234, as the integer that control messages carry. */
export const longResponseId = {
  integer: 1339673755198211113409445321679119878n,
  hex: "0x010203040506123465b2d94828a52606",
};

/** Header maps that decode and re-encode in their smallest form. */
export const headerMaps: readonly {
  title: string;
  hex: string;
  smallest: string;
  value: Record<string, string>;
}[] = [
  { title: "empty", hex: "80", smallest: "80", value: {} },
  { title: "one pair", hex: "81a161a162", smallest: "81a161a162", value: { a: "b" } },
  { title: "one pair as map 16", hex: "de0001a16ba176", smallest: "81a16ba176", value: { k: "v" } },
  { title: "trace", hex: traceHex, smallest: traceHex, value: trace },
];
