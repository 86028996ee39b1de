/** A link whose peer is a list, with room for as many messages as a test gives it. */
import { DropCounters } from "../../src/transport/drops.ts";
import { Link, type LinkShared, type LinkState, SendOutcome } from "../../src/transport/link.ts";
import { type Header, WriteOutcome } from "../../src/transport/write.ts";
import type { LinkLoss } from "../../src/transport/mod.ts";
import { BatchReader, BatchRecord, MessageType } from "../../src/wire/mod.ts";
import type { Region } from "../../src/libzmq/mod.ts";

/** The messages that a fake link gave to libzmq. */
export interface Written {
  readonly type: number;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** The parts that links share, without a library. */
export function fakeShared(
  limits: { maxQueuedMessages?: number; maxQueuedBytes?: number; maxPeerBytes?: number } = {},
): LinkShared {
  const bytes = new Uint8Array(new ArrayBuffer(84 * 1024));
  return {
    backend: {} as LinkShared["backend"],
    header: { bytes, view: new DataView(bytes.buffer) } as Region,
    types: {} as Region,
    drops: new DropCounters(),
    maxQueuedMessages: limits.maxQueuedMessages ?? 1_000,
    maxQueuedBytes: limits.maxQueuedBytes ?? 1_000_000,
    maxPeerBytes: limits.maxPeerBytes ?? 1_000_000,
    outboundBudget: null,
    counters: { sent: 0, received: 0, blocked: 0 },
  };
}

/** See {@link fakeShared}. */
export class FakeLink extends Link<unknown> {
  readonly kind = "dialled";
  readonly endpoint = "fake";
  readonly routingId = null;
  /** The messages that left, oldest first. */
  readonly written: Written[] = [];
  /** True for each time that the link asked to be retried, and false for each time that it withdrew this. */
  readonly blockings: boolean[] = [];
  /** The number of messages that libzmq takes now. */
  free = Infinity;
  /** Whether libzmq says that the connection is lost. */
  lost = false;
  /** The number of times that libzmq was asked to take a message. */
  writes = 0;

  readonly parts: LinkShared;

  constructor(parts: LinkShared, state: LinkState = "open") {
    super(parts, state);
    this.parts = parts;
  }

  /** Sends a message with this payload, the header is the byte given. */
  put(payload: Uint8Array | number[], header = 1, owned = true): SendOutcome {
    this.parts.header.bytes[0] = header;
    return this.send(MessageType.message, 1, Uint8Array.from(payload), owned);
  }

  override close(_lingerMs: number, _loss?: LinkLoss): void {
    this.markClosed();
  }

  /** The messages that left, those in batches taken apart, as [header, payload's first byte]. */
  get messages(): [header: number, first: number | undefined][] {
    return this.written.flatMap((one) =>
      one.type === MessageType.batch
        ? recordsOf(one)
        : [[one.header[0]!, one.payload[0]] as [number, number | undefined]]
    );
  }

  /** The number of messages in each message to libzmq. */
  get sizes(): number[] {
    return this.written.map((one) => one.type === MessageType.batch ? recordsOf(one).length : 1);
  }

  protected override write(type: number, header: Header, payload: Uint8Array): WriteOutcome {
    this.writes++;
    if (this.lost) return WriteOutcome.lost;
    if (this.free <= 0) return WriteOutcome.blocked;
    this.free--;
    const bytes = typeof header === "number" ? this.parts.header.bytes.subarray(0, header) : header;
    this.written.push({ type, header: bytes.slice(), payload: payload.slice() });
    return WriteOutcome.sent;
  }

  protected override onBlocked(blocked: boolean): void {
    this.blockings.push(blocked);
  }
}

function recordsOf({ header, payload }: Written): [number, number | undefined][] {
  const reader = new BatchReader();
  const record = new BatchRecord();
  const found: [number, number | undefined][] = [];
  let reason = reader.reset(header, 0, header.length, payload, 0, payload.length);
  while (reason === null && (reason = reader.next(record) as typeof reason) === null) {
    found.push([
      payload[record.headerStart]!,
      record.payloadStart < record.payloadEnd ? payload[record.payloadStart] : undefined,
    ]);
  }
  if ((reason as string) !== "end") throw new Error(`A batch that cannot be read: ${reason}`);
  return found;
}
