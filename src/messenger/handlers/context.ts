import {
  type ContractErrors,
  Deadline,
  type Fail,
  failOf,
  type InstanceId,
  type QueueNode,
  type WorkerId,
  ZeromeshError,
} from "../../core/mod.ts";
import { type InboundMessage, keepBytes } from "../../transport/mod.ts";
import {
  decodeHeaders,
  decodePayload,
  encodingHeader,
  headerOf,
  isSystemHeader,
  metadataBytesOf,
  metadataHeader,
  metadataText,
  type ResponseId,
  responseIdToBigInt,
  type ResponseKind,
  ttlOfHeaders,
} from "../../wire/mod.ts";
import { AbortState, shuttingDown } from "./abort_state.ts";
import type { MessengerHandle } from "./handler_context.ts";
import type { AskedCall } from "./authorization.ts";
import type { HandlerEntry } from "./handler_entry.ts";
import type { LaneItem } from "./lanes.ts";
import { isNamed } from "../peers/identity.ts";
import type { Session } from "../peers/peer.ts";
import type { SharedParts } from "../shared_parts.ts";
import type { ObservedCall } from "../observe/observed_call.ts";

const encoder = new TextEncoder();
const noHeaders: Readonly<Record<string, string>> = Object.freeze(
  Object.create(null) as Record<string, string>,
);
const noBytes = new Uint8Array(new ArrayBuffer(0));

/** The entry of a registered handler. */
export type Registered = HandlerEntry<InboundCall>;

/** Values of a context that handlers rarely use, made on demand. */
interface Made {
  headers: Readonly<Record<string, string>> | null;
  messenger: MessengerHandle | null;
  metadata: string | null;
}

/** The dispatcher of a call. */
export interface CallHost {
  /** The dispatcher's parts. */
  readonly parts: Pick<SharedParts, "clock" | "deadlines"> & {
    messengerFor(call: InboundCall): MessengerHandle;
    readonly connections: { instanceOf(word0: number, word1: number): InstanceId | null };
  };
  /** Whether the instance closes and waits for no handler any more. */
  readonly running: { readonly outOfTime: boolean };
  /** A waiting call was aborted. */
  abandonWaiting(call: InboundCall): void;
}

/**
 * One message on its way through a handler: the handler's context, and the facts for its reply.
 *
 * The message's memory is borrowed during the synchronous part only. {@link InboundCall.detach} copies it for later
 * use; otherwise {@link InboundCall.retire} ends the loan.
 */
export class InboundCall extends Deadline implements AskedCall, LaneItem<InboundCall>, ResponseId {
  id0 = 0;
  id1 = 0;
  id2 = 0;
  id3 = 0;
  /** The awaited reply. */
  readonly kind: ResponseKind;
  /** The handler's name. */
  readonly handlerName: string;
  /** Its connection. */
  readonly session: Session;
  /** The validated payload; set before a typed handler runs. */
  input: unknown = undefined;
  /** Whether its deadline has passed, so that no answer is awaited any more. */
  expired = false;
  /** Its key among the session's running messages. */
  runningKey = 0;
  /** Its handler's entry, once it is known. */
  registered: Registered | null = null;
  /** Its lane; kept by the lanes. */
  lane: object | null = null;
  /** Its place in the lane's queue; kept by the lanes. */
  place: QueueNode<InboundCall> | null = null;
  /** Its place while `authorize` is undecided; kept by the handler's `Authorization`. */
  asked: object | null = null;
  /** Whether an answer of `authorize` is still to come, also after the call's end. */
  undecided = false;
  /** Whether the handler's function was called. */
  ran = false;
  /** Whether its handler closes the instance, so that the close does not wait for it. */
  apart = false;
  /** Whether the instance was closed before its handler finished. */
  cutShort = false;
  /** Whether it counts as held. */
  held = false;
  /** The observer's part; null without one. */
  observed: ObservedCall | null = null;
  /** Bytes of the payload. */
  readonly bytes: number;
  /** The milliseconds that its caller had left when it was sent; below 0 where the caller does not say. */
  readonly ttlMs: number;
  readonly #host: CallHost;
  // Null after the loan.
  #message: InboundMessage | null;
  #headerBytes: Uint8Array | null;
  #headersStart: number;
  #headersEnd: number;
  #payload: Uint8Array | null = null;
  // Rare values, and the early end, are separate objects, made on demand.
  #made: Made | null = null;
  #early: AbortState | null = null;
  #arrivedAt = -1;

  /** Made by the dispatcher from a decoded request. */
  constructor(
    host: CallHost,
    session: Session,
    message: InboundMessage,
    kind: ResponseKind,
    name: string,
    id: ResponseId,
    headersStart: number,
    headersEnd: number,
  ) {
    super();
    this.#host = host;
    this.session = session;
    this.#message = message;
    this.bytes = message.payloadEnd - message.payloadStart;
    this.kind = kind;
    this.handlerName = name;
    this.id0 = id.id0;
    this.id1 = id.id1;
    this.id2 = id.id2;
    this.id3 = id.id3;
    this.#headerBytes = message.header;
    this.#headersStart = headersStart;
    this.#headersEnd = headersEnd;
    if (headersEnd > headersStart) {
      // A relative time to live counts from the arrival, so it is read now.
      this.ttlMs = ttlOfHeaders(message.header, headersStart, headersEnd);
      if (session.metadata && !message.unread) this.#takeMetadata(message);
    } else this.ttlMs = -1;
  }

  /** Splits metadata off the payload. */
  #takeMetadata(message: InboundMessage): void {
    const length = metadataBytesOf(message.header, this.#headersStart, this.#headersEnd);
    if (length === 0 || length > this.bytes) return;
    const { source, payloadStart } = message;
    this.#keep().metadata = metadataText(source, payloadStart, length) ?? "";
    if (message.owned) message.own(source.subarray(length));
    else message.payloadStart += length;
  }

  /** The payload, owned by the handler. */
  get payload(): Uint8Array {
    return this.#payload ??= (this.#message ?? this.#tooLate("payload")).keep();
  }

  /** The payload in the receive buffer, for decoding in the synchronous part. */
  get lentPayload(): Uint8Array {
    return this.#payload ?? (this.#message ?? this.#tooLate("payload")).payload;
  }

  /** The message in the receive buffer, for access without a view. */
  get lent(): InboundMessage {
    return this.#message ?? this.#tooLate("payload");
  }

  /** The caller's headers, without the library's own. Frozen. */
  get headers(): Readonly<Record<string, string>> {
    return this.#made?.headers ?? (this.#keep().headers = this.#decodeHeaders());
  }

  /** The sender's `metadata`; null if absent, not JSON, or nested too deep. */
  get metadata(): unknown {
    const text = this.#made?.metadata ?? this.systemHeader(metadataHeader);
    if (text === undefined) return null;
    return decodePayload(encoder.encode(text), "json").value ?? null;
  }

  /** Encoding of the payload. */
  get encoding(): "json" | "msgpack" {
    return this.systemHeader(encodingHeader) === "msgpack" ? "msgpack" : "json";
  }

  /** The library's header with this name, or undefined. */
  systemHeader(name: string): string | undefined {
    if (this.#headersEnd === this.#headersStart) return undefined;
    const bytes = this.#headerBytes ?? this.#tooLate("headers");
    return headerOf(bytes, this.#headersStart, this.#headersEnd, name);
  }

  /**
   * Parses the payload as JSON; an empty one is null. A getter, so that it can be destructured: `({ json }) => json()`.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID` when it is not JSON.
   */
  get json(): () => unknown {
    return () => this.#readJson();
  }

  /** Makes an error that the handler's contract declares. A getter, like {@link json}. */
  get fail(): Fail<ContractErrors> {
    return failOf(this.handlerName, this.registered?.handler.contract ?? null);
  }

  #readJson(): unknown {
    const decoded = decodePayload(this.lentPayload, "json");
    if (decoded.error === undefined) return decoded.value ?? null;
    throw new ZeromeshError(
      "PAYLOAD_INVALID",
      `Payload of "${this.handlerName}" is invalid: ${decoded.error}`,
      {
        handler: this.handlerName,
        ran: "yes",
      },
    );
  }

  /** The message's id as 32 hexadecimal digits: the same in the logs of both sides. */
  get messageId(): string {
    return responseIdToBigInt(this).toString(16).padStart(32, "0");
  }

  /** The sender's worker id. */
  get senderWorkerId(): WorkerId {
    return ((BigInt(this.id1) << 32n) | BigInt(this.id0)) as WorkerId;
  }

  /** The sender's instance id; null if it has not introduced itself. */
  get senderInstanceId(): InstanceId | null {
    const peer = this.session.peer;
    if (isNamed(peer, this)) return peer.instanceId;
    return this.#host.parts.connections.instanceOf(this.id0, this.id1);
  }

  /** The receiving messenger. */
  get messenger(): MessengerHandle {
    return this.#made?.messenger ?? (this.#keep().messenger = this.#host.parts.messengerFor(this));
  }

  /**
   * Aborts when the caller cancels, the deadline passes, the connection is lost, or this instance closes and the time
   * for handlers is over. Made at first use.
   */
  get signal(): AbortSignal {
    const early = this.#end();
    if (early.controller === null) {
      early.controller = new AbortController();
      if (early.aborted) early.controller.abort(early.reason);
      else this.#startEnd();
    }
    return early.controller.signal;
  }

  #startEnd(deadline = true): void {
    if (this.#host.running.outOfTime) this.abort(shuttingDown());
    else if (deadline) this.startDeadline();
  }

  /** Starts the deadline, if there is one that has not been started. */
  startDeadline(): void {
    if (this.ttlMs < 0 || this.slot >= 0) return;
    const waited = this.#arrivedAt < 0 ? 0 : this.#host.parts.clock.now() - this.#arrivedAt;
    if (waited >= this.ttlMs) this.expire();
    else this.#host.parts.deadlines.add(this, this.ttlMs - waited);
  }

  /**
   * Calls back once when the message is aborted before its handler has ended, after {@link signal}; at once if it has been
   * aborted. Without `deadline` the handler watches that itself.
   */
  whenAborted(run: (reason: unknown) => void, deadline = true): void {
    const early = this.#end();
    early.onAbort = run;
    if (early.aborted) run(early.reason);
    else this.#startEnd(deadline);
  }

  /** Waits for a validator's promise; rejects when the call ends first, by its caller or its deadline. */
  orAborted<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.whenAborted(reject);
      promise.then(resolve, reject);
    });
  }

  /** The key of its lane: the connection's peer, not the named sender, since a message may name another. */
  get sender0(): number {
    const { peer, serial } = this.session;
    return peer === null ? serial : peer.worker0;
  }

  /** See {@link sender0}. */
  get sender1(): number {
    return this.session.peer?.worker1 ?? 0;
  }

  /** Whether both ends of its connection have a feature. */
  supports(feature: string): boolean {
    return this.session.supports(feature);
  }

  /** Whether it waits for its turn or for `authorize`. */
  get waits(): boolean {
    return this.place !== null || this.asked !== null;
  }

  /** Whether the caller has cancelled. */
  get abandoned(): boolean {
    return this.#early !== null && this.#early.aborted;
  }

  /** Aborts {@link signal}. */
  abort(reason: unknown): void {
    const early = this.#end();
    if (early.aborted) return;
    early.aborted = true;
    early.reason = reason;
    early.controller?.abort(reason);
    early.onAbort?.(reason);
    if (this.waits) this.#host.abandonWaiting(this);
  }

  override expire(): void {
    this.expired = true;
    this.abort(
      new ZeromeshError("TIMEOUT", `The caller of "${this.handlerName}" waits no longer`, {
        handler: this.handlerName,
        ran: "maybe",
      }),
    );
  }

  /** Whether no memory is borrowed any more, because it waits or its handler is asynchronous. */
  get detached(): boolean {
    return this.#message === null;
  }

  /** Copies borrowed memory, because the handler continues asynchronously. */
  detach(): void {
    if (this.#message === null) return;
    this.#payload ??= this.#message.keep();
    this.#message = null;
    if (this.#headersEnd > this.#headersStart) {
      this.#headerBytes = keepBytes(this.#headerBytes!, this.#headersStart, this.#headersEnd);
      this.#headersEnd -= this.#headersStart;
      this.#headersStart = 0;
      if (this.ttlMs >= 0) this.#arrivedAt = this.#host.parts.clock.now();
    } else this.#headerBytes = noBytes;
  }

  /** Ends the loan when the handler has returned: the next message overwrites unread memory. */
  retire(): void {
    if (this.#message === null) return;
    this.#message = null;
    this.#headerBytes = null;
  }

  #end(): AbortState {
    return this.#early ??= new AbortState();
  }

  #keep(): Made {
    return this.#made ??= { headers: null, messenger: null, metadata: null };
  }

  #tooLate(what: string): never {
    throw new TypeError(
      `Cannot read the ${what} of a "${this.handlerName}" message any more: read it before the handler ` +
        "returns, or have the handler return a promise",
    );
  }

  #decodeHeaders(): Readonly<Record<string, string>> {
    if (this.#headersEnd === this.#headersStart) return noHeaders;
    const bytes = this.#headerBytes ?? this.#tooLate("headers");
    const all = decodeHeaders(bytes, this.#headersStart, this.#headersEnd);
    if (typeof all !== "object") return noHeaders;
    const own = Object.create(null) as Record<string, string>;
    for (const [key, value] of Object.entries(all)) if (!isSystemHeader(key)) own[key] = value;
    return Object.freeze(own);
  }
}
