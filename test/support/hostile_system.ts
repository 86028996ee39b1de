/** What only the library itself would send, to be cut and mutated: requests to every handler of the system. */
import { bytesOf, hexOf } from "../vectors/hex.ts";
import * as control from "../vectors/velo_control.ts";
import { nodeA } from "../vectors/velo_headers.ts";
import * as streams from "../vectors/velo_streams.ts";
import * as ours from "../vectors/zeromesh.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const hexOfText = (text: string): string => hexOf(utf8(text));
const empty = new Uint8Array();
const handle = control.eventHandleB;
const who = `${nodeA.workerId},"NAME_instance":"${nodeA.instanceId}"`;

/** An event message: its kind, a handle, the id of a request, and what follows. */
function eventFrame(kind: number, text = ""): Uint8Array {
  const words = bytesOf("11".repeat(8) + nodeA.workerBytes);
  const id = kind >= 6 ? bytesOf(`${nodeA.workerBytes}0100000000000000`) : empty;
  return Uint8Array.of(kind, ...words, ...id, ...utf8(text));
}

const subscription = utf8(
  `{"handle":${handle},"subscriber_worker":${who.replace("NAME", "subscriber")}}`,
);
const about = eventFrame(1);
const anchor = '{"hi":7328158447628002822,"lo":1}';
const anchorPayload = [utf8(`{"handle":${anchor}}`)];
const attach = [
  utf8(
    `{"handle":${anchor},"session_id":1,"stream_cancel_handle":${anchor},` +
      '"supported_transport_keys":["messenger-mux-v2","tcp-stream"]}',
  ),
];

/** Payloads for every handler of the system; none has a peer that waits for its answer. */
export const systemPayloads: Readonly<Record<string, readonly Uint8Array[]>> = {
  _hello: [utf8(ours.hello.request)],
  _list_handlers: [empty, utf8("null")],
  _describe: [empty],
  _health_check: [empty],
  _wait_for_handler: [
    utf8('{"handler_name":"later"}'),
    utf8('{"handler_name":"echo","timeout_ms":50}'),
    utf8('{"handler_name":"later","timeout_ms":1e400}'),
  ],
  _register_service: [
    utf8(`{"instance_id":"${nodeA.instanceId}","endpoint":"${nodeA.endpoint}"}`),
  ],
  _ack: [utf8(`{"ack_id":"${nodeA.instanceId}"}`)],
  _goodbye: [empty],
  _cancel: [bytesOf(ours.cancel.payload)],
  _credit: [bytesOf(ours.credit.payload), bytesOf("ff".repeat(16)), empty],
  _event_subscribe: [subscription, about],
  _event_unsubscribe: [subscription, about],
  _event_trigger: [
    utf8(`{"handle":${handle},"poisoned":null}`),
    utf8(`{"handle":${handle},"poisoned":"why"}`),
    eventFrame(2),
    eventFrame(3, '{"a":1}'),
    eventFrame(4, "why"),
    eventFrame(5, "FORBIDDEN\nno"),
  ],
  _event_trigger_request: [
    utf8(
      `{"handle":${handle},"requester_worker":${
        who.replace("NAME", "requester")
      },"poisoned":null,"response_id":12345678901234567890}`,
    ),
    eventFrame(6),
    eventFrame(7, '{"a":1}'),
    eventFrame(8, "why"),
  ],
  _event_poll: [subscription, about],
  _event_barrier: [utf8('{"name":"start","count":2}')],
  _anchor_attach: attach,
  _anchor_abort_attach: attach,
  _anchor_detach: anchorPayload,
  _anchor_finalize: anchorPayload,
  _anchor_cancel: anchorPayload,
  _anchor_renew: [utf8(`[{"handle":${anchor},"session":1},{"handle":${anchor},"session":null}]`)],
  _mpsc_anchor_attach: attach,
  _mpsc_anchor_detach: [utf8(`{"handle":${anchor},"sender_id":1}`)],
  _mpsc_anchor_cancel: anchorPayload,
  _stream_cancel: [utf8('{"sender_stream_id":1}')],
  _stream_stop: [utf8('{"sender_stream_id":1}')],
  _stream_batch: [...streams.batches, streams.heartbeatBatch].map(({ hex }) => bytesOf(hex)),
};

/** A request to a handler, as its header. */
export function headerTo(name: string, kind: 0 | 1 | 2 = 2, map = ""): Uint8Array {
  return bytesOf(
    `010${kind}${nodeA.workerBytes}0100000000000000${le16(hexOfText(name).length / 2)}${hexOfText(name)}${
      le16(map.length / 2)
    }${map}`,
  );
}

/** Milliseconds left that no instance would write: past the integers, signed, in other notations. */
const lyingTtls = [2n ** 53n, 2n ** 64n, 10n ** 400n].map(String).concat(
  "-1",
  "1e3",
  "0x10",
  "00",
  " 1",
  "",
  "٣",
);

/** The header map of a time left. */
export function ttlMap(text: string): string {
  const bytes = utf8(text);
  const size = bytes.length < 32
    ? (0xa0 | bytes.length).toString(16)
    : `da${(bytes.length >> 8).toString(16).padStart(2, "0")}${
      (bytes.length & 0xff).toString(16).padStart(2, "0")
    }`;
  return `81a45f74746c${size}${hexOfText(text)}`;
}

/** Requests to every handler of the system in every pattern, and requests whose time left is a lie. */
export const systemMessages: readonly { type: number; header: Uint8Array; payload: Uint8Array }[] = [
  ...Object.entries(systemPayloads).flatMap(([name, payloads]) =>
    ([0, 1, 2] as const).flatMap((kind) =>
      payloads.map((payload) => ({ type: 0, header: headerTo(name, kind), payload }))
    )
  ),
  ...lyingTtls.flatMap((text) =>
    ["add", "echo", "_wait_for_handler"].map((name) => ({
      type: 0,
      header: headerTo(name, 2, ttlMap(text)),
      payload: utf8('{"a":1,"b":2,"handler_name":"later"}'),
    }))
  ),
  {
    type: 0,
    header: headerTo("addPacked", 2, ours.msgpack.headersHex.replaceAll("|", "").replaceAll(" ", "")),
    payload: bytesOf("82a16101a16202"),
  },
  { type: 0, header: headerTo("add"), payload: utf8('{"a":1,"b":2}') },
  // The payload is said to be kept at its sender.
  { type: 0, header: headerTo("echo", 2, "81a35f7276a131"), payload: empty },
];

/** A number as the hexadecimal text of two bytes, the low one first. */
export function le16(value: number): string {
  return hexOf(Uint8Array.of(value & 0xff, value >> 8));
}
