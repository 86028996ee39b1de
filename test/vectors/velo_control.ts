/**
 * Ids, addresses, control messages and hashes of Velo.
 *
 * Origin: Velo 0.9.0 / 0.21.0, made with Velo's own crates (0.9.0) or recorded from a running 0.21.0 node.
 */

/** Instance ids and the worker ids that follow from them. */
export const workerIds: readonly { instanceId: string; workerId: bigint; bytes: string }[] = [
  {
    instanceId: "a0112233-4455-4677-8899-aabbccddeeff",
    workerId: 0x65b2d94828a52606n,
    bytes: "0626a52848d9b265",
  },
  {
    instanceId: "0f1e2d3c-4b5a-4968-8778-695a4b3c2d1e",
    workerId: 0x2a4e4de325458702n,
    bytes: "02874525e34d4e2a",
  },
  {
    instanceId: "00112233-4455-4677-8899-aabbccddeeff",
    workerId: 0xfde8414c5afee9d3n,
    bytes: "d3e9fe5a4c41e8fd",
  },
  {
    instanceId: "763e7ce2-bbd1-4e9b-8bc8-58481dc3016e",
    workerId: 6184081821072990269n,
    bytes: "3da001cfa645d255",
  },
  {
    instanceId: "ba36bdcb-52c5-4377-916d-2dcbe4f37584",
    workerId: 0x46fc68830590a0c0n,
    bytes: "c0a090058368fc46",
  },
];

/** XXH3-64, seed 0, of the bytes `i % 251` for each length. */
export const xxh3: readonly (readonly [length: number, hash: bigint])[] = [
  [0, 0x2d06800538d394c2n],
  [1, 0xc44bdff4074eecdbn],
  [3, 0x5f4299fc161c9cbbn],
  [4, 0x60dab036a58211f2n],
  [8, 0x3a1c2d7c85af88f8n],
  [9, 0xe9612598145bb9dcn],
  [16, 0x8355e3a6f61770dbn],
  [17, 0x9ef341a99de37328n],
  [24, 0xeb173b2aa3b5397an],
  [128, 0x85c6174c7ff4c46bn],
  [129, 0xec7642b431ba3e5an],
  [240, 0x375a384d957fe865n],
  [241, 0x02e8cd95421c6d02n],
  [1024, 0xe5d78bafa45b2aa5n],
  [2000, 0x8d38fc31dc9d9fabn],
];

/** Worker addresses; values in hexadecimal. */
export const addresses: readonly { title: string; hex: string; entries: Record<string, string> }[] = [
  {
    title: "node A",
    hex: "81 a3 7a6d71 dc0014 7463703a2f2f3132372e302e302e313a35353535",
    entries: { zmq: "7463703a2f2f3132372e302e302e313a35353535" },
  },
  { title: "bytes from 0x80 on", hex: "81 a16b 94 00 7f cc80 ccff", entries: { k: "007f80ff" } },
  { title: "no entries", hex: "80", entries: {} },
];

/** Node A's address and its checksum. */
export const addressChecksumA = 3174974137220796183n;

/** The peer info of node A. */
export const peerInfoA = {
  json:
    '{"instance_id":"a0112233-4455-4677-8899-aabbccddeeff","worker_address":[129,163,122,109,113,220,0,20,116,99,' +
    "112,58,47,47,49,50,55,46,48,46,48,46,49,58,53,53,53,53]}",
  msgpack:
    "92 c410 a0112233445546778899aabbccddeeff c41c 81a37a6d71dc00147463703a2f2f3132372e302e302e313a35353535",
};

/** The peer info of the running node. */
export const peerInfoLive = {
  json:
    '{"instance_id":"ba36bdcb-52c5-4377-916d-2dcbe4f37584","worker_address":[129,163,122,109,113,220,0,20,116,99,' +
    "112,58,47,47,49,50,55,46,48,46,48,46,49,58,53,53,53,54]}",
};

/** The answer to `_hello` and `_list_handlers`. */
export const handlerListText = '{"handlers":["_hello","_list_handlers","add"]}';

/** The event handle of owner B, index 0, generation 1. */
export const eventHandleB = 56234154719799553934924405423673966593n;

/** Control messages as JSON text, and the same as values. */
export const controlMessages: readonly { title: string; text: string; value: unknown }[] = [
  {
    title: "_event_subscribe",
    text: '{"handle":56234154719799553934924405423673966593,"subscriber_worker":7328158447628002822,' +
      '"subscriber_instance":"a0112233-4455-4677-8899-aabbccddeeff"}',
    value: {
      handle: 0x2a4e4de3254587020000000000000001n,
      subscriber_worker: 7328158447628002822n,
      subscriber_instance: "a0112233-4455-4677-8899-aabbccddeeff",
    },
  },
  {
    title: "_event_trigger",
    text: '{"handle":56234154719799553934924405423673966593,"poisoned":null}',
    value: { handle: eventHandleB, poisoned: null },
  },
  {
    title: "_event_trigger, poisoned",
    text: '{"handle":56234154719799553934924405423673966593,"poisoned":"bad"}',
    value: { handle: eventHandleB, poisoned: "bad" },
  },
  {
    title: "_event_trigger_request",
    text: '{"handle":56234154719799553934924405423673966593,"requester_worker":7328158447628002822,' +
      '"requester_instance":"a0112233-4455-4677-8899-aabbccddeeff","poisoned":null,' +
      '"response_id":1339673755198211113409445321679119878}',
    value: {
      handle: eventHandleB,
      requester_worker: 7328158447628002822n,
      requester_instance: "a0112233-4455-4677-8899-aabbccddeeff",
      poisoned: null,
      response_id: 0x010203040506123465b2d94828a52606n,
    },
  },
  {
    title: "live _event_subscribe",
    text: '{"handle":135180663414986448634374274775202660353,"subscriber_worker":6184081821072990269,' +
      '"subscriber_instance":"763e7ce2-bbd1-4e9b-8bc8-58481dc3016e"}',
    value: {
      handle: (7328158447628002822n << 64n) | 1n,
      subscriber_worker: 6184081821072990269n,
      subscriber_instance: "763e7ce2-bbd1-4e9b-8bc8-58481dc3016e",
    },
  },
  {
    title: "live _event_trigger_request",
    text: '{"handle":135180663414986448634374274788087562241,"requester_worker":6184081821072990269,' +
      '"requester_instance":"763e7ce2-bbd1-4e9b-8bc8-58481dc3016e","poisoned":null,' +
      '"response_id":725607100695745503293}',
    value: {
      handle: (7328158447628002822n << 64n) | 0x300000001n,
      requester_worker: 6184081821072990269n,
      requester_instance: "763e7ce2-bbd1-4e9b-8bc8-58481dc3016e",
      poisoned: null,
      response_id: (0x27n << 64n) | 6184081821072990269n,
    },
  },
  {
    title: "live _event_trigger",
    text: '{"handle":114076174684213154994680988736321224705,"poisoned":null}',
    value: { handle: (6184081821072990269n << 64n) | 1n, poisoned: null },
  },
  {
    title: "_anchor_attach",
    text: '{"handle":{"hi":3048459635754632962,"lo":1},"session_id":1,"stream_cancel_handle":' +
      '{"hi":7328158447628002822,"lo":1},"supported_transport_keys":["tcp-stream"]}',
    value: {
      handle: { hi: 3048459635754632962n, lo: 1 },
      session_id: 1,
      stream_cancel_handle: { hi: 7328158447628002822n, lo: 1 },
      supported_transport_keys: ["tcp-stream"],
    },
  },
  {
    title: "live _anchor_attach",
    text: '{"handle":{"hi":7328158447628002822,"lo":1},"session_id":1,"stream_cancel_handle":' +
      '{"hi":16770772429475168246,"lo":1},"supported_transport_keys":["messenger-mux-v2","tcp-stream"]}',
    value: {
      handle: { hi: 7328158447628002822n, lo: 1 },
      session_id: 1,
      stream_cancel_handle: { hi: 16770772429475168246n, lo: 1 },
      supported_transport_keys: ["messenger-mux-v2", "tcp-stream"],
    },
  },
  {
    title: "live _rv_acquire",
    text: '{"handle":{"hi":7328158447628002822,"lo":7},"rdma":null}',
    value: { handle: { hi: 7328158447628002822n, lo: 7 }, rdma: null },
  },
];

/** Error texts and what they mean. */
export const errorTexts: readonly { text: string; code: string; ran: string; refused: string }[] = [
  { text: "Handler 'add' not found", code: "HANDLER_NOT_FOUND", ran: "maybe", refused: "no" },
  { text: "Handler 'nosuch' not found", code: "HANDLER_NOT_FOUND", ran: "maybe", refused: "no" },
  {
    text: "Failed to deserialize input: missing field `b` at line 1 column 7",
    code: "PAYLOAD_INVALID",
    ran: "maybe",
    refused: "maybe",
  },
  {
    text: "Failed to serialize output: key must be a string",
    code: "RESULT_INVALID",
    ran: "yes",
    refused: "yes",
  },
  { text: "Handler failed: handler panicked", code: "HANDLER_FAILED", ran: "yes", refused: "yes" },
  { text: "Handler failed: ordered lane queue full", code: "OVERLOADED", ran: "maybe", refused: "no" },
  {
    text: "Unary message incorrectly routed to AM handler 'note'",
    code: "REMOTE_ERROR",
    ran: "yes",
    refused: "yes",
  },
  {
    text: "Unary message incorrectly routed to AM handler 'note': bad",
    code: "REMOTE_ERROR",
    ran: "yes",
    refused: "yes",
  },
  { text: "request rejected: peer is shutting down", code: "REMOTE_ERROR", ran: "maybe", refused: "maybe" },
  { text: "Failed to resolve large payload: lost", code: "REMOTE_ERROR", ran: "maybe", refused: "no" },
  {
    text: "Rendezvous resolver not configured on receiver",
    code: "REMOTE_ERROR",
    ran: "maybe",
    refused: "no",
  },
  { text: "No compatible transports found", code: "REMOTE_ERROR", ran: "yes", refused: "yes" },
  { text: "boom", code: "REMOTE_ERROR", ran: "yes", refused: "yes" },
  { text: "", code: "REMOTE_ERROR", ran: "yes", refused: "yes" },
];
