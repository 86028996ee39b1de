/**
 * Control messages of streams.
 *
 * Origin: Velo 0.9.0 / 0.21.0: the requests and the answer of an attachment were recorded from running nodes, the rest
 * follows their declarations.
 */

/** Worker ids of the two nodes of the vectors, and of the recorded one. */
export const workers = { a: 0x65b2d94828a52606n, b: 0x2a4e4de325458702n, live: 16770772429475168246n };

/** Control messages as text. */
export const controlTexts = {
  attachFromA:
    `{"handle":{"hi":3048459635754632962,"lo":1},"session_id":1,"stream_cancel_handle":{"hi":7328158447628002822,"lo":1},"supported_transport_keys":["tcp-stream"]}`,
  attachLive:
    `{"handle":{"hi":7328158447628002822,"lo":1},"session_id":1,"stream_cancel_handle":{"hi":16770772429475168246,"lo":1},"supported_transport_keys":["messenger-mux-v2","tcp-stream"]}`,
  abortLive:
    `{"handle":{"hi":7328158447628002822,"lo":4},"stream_cancel_handle":{"hi":16770772429475168246,"lo":5}}`,
  answerLive:
    `{"Ok":{"streaming_transport_key":"messenger-mux-v2","heartbeat_interval_ms":5000,"routing_session_id":5,"initial_credit":32,"slot_byte_budget":1048576}}`,
  answerMany:
    `{"Ok":{"streaming_transport_key":"messenger-mux-v2","heartbeat_interval_ms":5000,"sender_id":3,"routing_session_id":18446744073709551615,"initial_credit":32,"slot_byte_budget":1048576}}`,
  refused: `{"Err":{"reason":"anchor \\"x\\" not found"}}`,
  handle: `{"handle":{"hi":7328158447628002822,"lo":9223372036854775809}}`,
  detachMany: `{"handle":{"hi":7328158447628002822,"lo":9223372036854775809},"sender_id":7}`,
  sender: `{"sender_stream_id":18446744073709551615}`,
  renewals:
    `[{"handle":{"hi":7328158447628002822,"lo":1},"session":null},{"handle":{"hi":7328158447628002822,"lo":2},"session":9}]`,
} as const;
