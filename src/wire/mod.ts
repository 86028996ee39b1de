/**
 * Encoding and decoding of Velo's wire format, with zeromesh's additions.
 *
 * The layer is pure: it uses no input or output, no clock, and no runtime. Encoders write into the caller's memory.
 * Decoders never throw; they return a reason from a closed list, so that a bad frame is counted and dropped. Response
 * ids are four 32-bit words, and hot headers are decoded into reused objects.
 *
 * @example Usage
 * ```ts ignore
 * const header = new RequestHeader();
 * const reason = decodeRequest(bytes, view, 0, bytes.length, header, names);
 * if (reason !== null) return drop(reason);
 * dispatch(header.name);
 * ```
 *
 * @module
 */
export {
  maxMetadataBytes,
  metadataBytesHeader,
  metadataBytesOf,
  metadataHeader,
  metadataText,
} from "./metadata.ts";
export { type DropReason, dropReasons, MessageType } from "./frame.ts";
export {
  type ResponseId,
  responseIdFromBigInt,
  responseIdFromUuid,
  responseIdToBigInt,
  responseIdToUuid,
} from "./response_id.ts";
export {
  decodeRequest,
  encodeRequest,
  RequestHeader,
  requestSize,
  ResponseKind,
  validateHandlerName,
  withCredit,
  withoutAnswer,
} from "./request.ts";
export { NameCache } from "./names.ts";
export { decodeResponse, encodeResponse, ResponseHeader } from "./response.ts";
export { AckHeader, ackSize, decodeAck, encodeAck, hasAckHeader } from "./ack.ts";
export {
  borrowHeaders,
  decodeHeaders,
  encodeHeaders,
  headerOf,
  isSystemHeader,
  maxHeaderValueBytes,
} from "./headers.ts";
export { encodeTtl, encodeTtlHeaders, ttlHeader, ttlOfHeaders } from "./ttl.ts";
export {
  codeOfVeloText,
  encodingHeader,
  errorFromHeaders,
  errorHeaders,
  forbiddenPrefix,
  type RemoteErrorFacts,
  veloText,
} from "./errors.ts";
export { decodeWorkerAddress, encodeWorkerAddress } from "./address.ts";
export {
  decodePeerInfo,
  encodePeerInfo,
  endpointsOf,
  type PeerInfo,
  peerInfoFromJson,
  type PeerInfoJson,
  peerInfoOf,
  peerInfoToJson,
  publicKeyOf,
  registrationHandler,
} from "./peer_info.ts";
export { addressChecksum } from "./checksum.ts";
export { integerBelow, parseControlJson, stringifyControlJson } from "./control_json.ts";
export {
  allFeatures,
  decodeHello,
  decodeHelloReply,
  encodeHello,
  encodeHelloReply,
  type Feature,
  type Hello,
  type HelloReply,
  type Negotiation,
  type PeerNegotiation,
  presetPeerBytes,
  presetPingMs,
} from "./features.ts";
export {
  batchHeaderSize,
  BatchReader,
  BatchRecord,
  batchRecordOverhead,
  BatchWriter,
  encodeBatchHeader,
  maxBatchRecords,
} from "./batch.ts";
export {
  decodeEventFrame,
  encodeEventFrame,
  encodeEventRequest,
  EventFrame,
  EventFrameKind,
  eventFrameSize,
  eventRequestSize,
  isEventJson,
} from "./event_frames.ts";
export {
  completionHandler,
  completionRequestHandler,
  decodeCompletion,
  decodeCompletionRequest,
  decodeSubscribe,
  encodeCompletion,
  encodeCompletionRequest,
  encodeSubscribe,
  subscribeHandler,
  unsubscribeHandler,
} from "./events.ts";
export { cancelHandler, decodeCancel, encodeCancel } from "./cancel.ts";
export { creditHandler, decodeCredit, encodeCredit } from "./credit.ts";
export {
  acquireHandler,
  decodeAcquired,
  detachHandler,
  encodeAcquire,
  encodeLeaseEnd,
  encodePull,
  parseStagedHandle,
  pullHandler,
  releaseHandler,
  type StagedHandle,
  stagedHeader,
  type StagedLease,
} from "./rendezvous.ts";
export { copyBytes } from "./bytes.ts";
export { borrowUtf8, decodeLatin1, decodeUtf8, encodeUtf8 } from "./utf8.ts";
export { MsgpackCursor } from "./msgpack_cursor.ts";
export { stringifyJson } from "./json_value.ts";
export {
  borrowPayload,
  type DecodedPayload,
  decodeJson,
  decodePayload,
  encodeItem,
  encodePayload,
  type PayloadEncoding,
  payloadText,
} from "./payload.ts";
