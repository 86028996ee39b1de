import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { WaitOptions } from "../../messenger/mod.ts";
import type { StreamWindow } from "../byte_stream.ts";
import { turnShareOf } from "../turn_share.ts";
import {
  abortAttachHandler,
  attachHandler,
  attachManyHandler,
  type AttachTerms,
  decodeAttachAnswer,
  detachManyHandler,
  encodeAbort,
  encodeAttach,
  encodeDetachMany,
  muxTransport,
  type SenderName,
} from "../wire/control.ts";
import { hasManySenders, localOfHandle, type StreamHandle, workerOfHandle } from "../wire/handle.ts";
import type { AnchorTable } from "./anchor_table.ts";
import { LocalPair, localWindow } from "./local_pair.ts";
import { SenderCore } from "./sender_core.ts";

/** A sender whose stream is open. */
export interface Attached {
  /** The sender. */
  readonly core: SenderCore;
  /** Its number at an anchor with many senders; null at others. */
  readonly number: number | null;
  /** The transport of its stream; null within one instance. */
  readonly transport: string | null;
  /** Whether its reader knows standard MessagePack only. */
  readonly standard: boolean;
  /** What may wait for credit. */
  readonly window: StreamWindow;
}

/** Time for undoing an attachment that cannot be used. */
const undoTimeoutMs = 1_000;
/** Bytes of a window whose reader names no number. */
const defaultBytes = 1_048_576;

/**
 * Attaches a sender to an anchor, which may be this instance's own.
 *
 * @throws {ZeromeshError} `STREAM_UNKNOWN`, `STREAM_TAKEN`, `LIMIT_REACHED`, `STREAM_FAILED`, `PEER_LACKS_FEATURE`, and
 * the errors of a call.
 */
export async function attachTo(
  table: AnchorTable,
  handle: StreamHandle,
  wait: WaitOptions,
  ticket: AttachTerms | null,
): Promise<Attached> {
  table.requireOpen(`Cannot attach to anchor ${handle}`);
  const { port } = table;
  const worker = workerOfHandle(handle);
  if (worker === port.workerId) return attachHere(table, handle);
  const peer = await readerOf(table, worker, handle);
  const stream = table.mux.newId();
  const name = { worker: port.workerId, stream };
  // Without a connection there is a way to wait for in either case.
  if (ticket !== null && port.hasWay(peer)) {
    wait.signal?.throwIfAborted();
    if ((wait.timeoutMs ?? Infinity) <= 0) {
      throw new ZeromeshError("TIMEOUT", `Cannot attach to anchor ${handle}: timeoutMs has passed already`, {
        peer,
        ran: "no",
      });
    }
    requireUsable(table, handle, peer, ticket);
    return open(table, handle, peer, name, ticket);
  }
  const terms = await ask(table, handle, peer, name, wait);
  try {
    return open(table, handle, peer, name, terms);
  } catch (error) {
    undo(table, handle, peer, name, terms);
    throw error;
  }
}

/** The instance that reads an anchor. @throws {ZeromeshError} `PEER_UNKNOWN`, and the errors of discovery. */
export async function readerOf(
  { port }: AnchorTable,
  worker: bigint,
  handle: StreamHandle,
): Promise<InstanceId> {
  const low = Number(worker & 0xffff_ffffn);
  const high = Number(worker >> 32n);
  const peer = port.peerOf(low, high) ?? await port.find(low, high);
  if (peer !== null) return peer;
  throw new ZeromeshError(
    "PEER_UNKNOWN",
    `Cannot reach anchor ${handle}: no known peer has its worker id ${worker}; connect to its instance first`,
  );
}

async function ask(
  table: AnchorTable,
  handle: StreamHandle,
  peer: InstanceId,
  sender: SenderName,
  wait: WaitOptions,
): Promise<AttachTerms> {
  const { port } = table;
  const many = hasManySenders(handle);
  const cannot = `Cannot attach to anchor ${handle} of peer ${port.textOf(peer)}`;
  let bytes: Uint8Array;
  try {
    const request = encodeAttach({ handle, session: sender.stream, sender, transports: [muxTransport] });
    bytes = await port.call(many ? attachManyHandler : attachHandler, peer, request, wait);
  } catch (error) {
    if (!(error instanceof ZeromeshError)) {
      undo(table, handle, peer, sender, null);
      throw error; // the signal's reason
    }
    if (error.ran === "maybe") undo(table, handle, peer, sender, null);
    const code = error.code === "HANDLER_NOT_FOUND" ? "PEER_LACKS_FEATURE" : error.code;
    throw new ZeromeshError(code, `${cannot}: ${error.message}`, { peer, ran: error.ran, cause: error });
  }
  const answer = decodeAttachAnswer(bytes);
  if (answer === null) {
    undo(table, handle, peer, sender, null);
    throw new ZeromeshError("RESULT_INVALID", `${cannot}: its answer cannot be read`, { peer, ran: "yes" });
  }
  if ("refused" in answer) {
    throw new ZeromeshError(codeOf(answer.refused), `${cannot}: ${answer.refused}`, { peer, ran: "yes" });
  }
  const { terms } = answer;
  try {
    requireUsable(table, handle, peer, terms);
  } catch (error) {
    undo(table, handle, peer, sender, terms);
    throw error;
  }
  return terms;
}

/** @throws {ZeromeshError} `PEER_LACKS_FEATURE` for terms of a transport that this instance has not, or without credit. */
function requireUsable(
  { port }: AnchorTable,
  handle: StreamHandle,
  peer: InstanceId,
  { transport, items }: AttachTerms,
): void {
  if (transport === muxTransport && items > 0) return;
  const why = transport === muxTransport
    ? "it gives no credit"
    : `it chose transport ${transport}, and this instance has ${muxTransport} only`;
  const cannot = `Cannot attach to anchor ${handle} of peer ${port.textOf(peer)}`;
  throw new ZeromeshError("PEER_LACKS_FEATURE", `${cannot}: ${why}`, { peer });
}

function open(
  table: AnchorTable,
  handle: StreamHandle,
  peer: InstanceId,
  { stream }: SenderName,
  terms: AttachTerms,
): Attached {
  const ours = table.mux.supports(peer);
  const window = { items: terms.items, bytes: terms.bytes || defaultBytes };
  const core = senderOf(table, handle, peer, stream, window);
  core.open(
    table.mux.openWriter(peer, {
      anchor: localOfHandle(handle),
      session: terms.session === 0n ? stream : terms.session,
      window,
      creditsBytes: ours,
      heartbeatMs: terms.heartbeatMs,
    }, core),
  );
  table.addSender(stream, core, peer);
  const number = terms.senderId === null ? null : Number(terms.senderId);
  return { core, number, transport: terms.transport, standard: !ours, window };
}

/** A sender and its anchor in one instance need no messages. */
function attachHere(table: AnchorTable, handle: StreamHandle): Attached {
  const anchor = table.get(handle);
  const cannot = `Cannot attach to anchor ${handle} of this instance`;
  if (anchor === undefined) throw new ZeromeshError("STREAM_UNKNOWN", `${cannot}: there is none`);
  if (!anchor.admit(null)) {
    throw anchor.parts.many
      ? new ZeromeshError(
        "LIMIT_REACHED",
        `${cannot}: it has maxSenders (${anchor.parts.maxSenders}) already`,
      )
      : new ZeromeshError("STREAM_TAKEN", `${cannot}: it has a sender`);
  }
  const stream = table.mux.newId();
  const core = senderOf(table, handle, null, stream, localWindow);
  const number = anchor.attach({
    peer: null,
    name: { worker: table.port.workerId, stream },
    bind: (events) => {
      const pair = new LocalPair(events, core);
      core.open(pair);
      return pair;
    },
  });
  table.addSender(stream, core, null);
  return {
    core,
    number: anchor.parts.many ? number : null,
    transport: null,
    standard: false,
    window: localWindow,
  };
}

function senderOf(
  table: AnchorTable,
  handle: StreamHandle,
  peer: InstanceId | null,
  stream: bigint,
  window: StreamWindow,
): SenderCore {
  return new SenderCore({
    what: `anchor ${handle}`,
    peer,
    window,
    deadlines: table.deadlines,
    turns: turnShareOf(table.port.clock),
    hold: () => table.port.hold(),
    removed: () => table.removeSender(stream),
  });
}

/** Tells a reader that an attachment is not used. It may never have made it, so its answer does not matter. */
function undo(
  { port }: AnchorTable,
  handle: StreamHandle,
  peer: InstanceId,
  name: SenderName,
  terms: AttachTerms | null,
): void {
  const many = hasManySenders(handle);
  // Without an answer the sender has no number; the reader gives up when the stream is not opened.
  if (many && terms?.senderId == null) return;
  const call = many
    ? port.call(detachManyHandler, peer, encodeDetachMany(handle, terms!.senderId!), {
      timeoutMs: undoTimeoutMs,
    })
    : port.call(abortAttachHandler, peer, encodeAbort(handle, name), { timeoutMs: undoTimeoutMs });
  call.catch(() => {});
}

/** The code for a reader's refusal, which comes as text. */
function codeOf(reason: string): string {
  if (reason.includes("already attached")) return "STREAM_TAKEN";
  if (reason.includes("max_senders")) return "LIMIT_REACHED";
  if (reason.includes("no common streaming transport") || reason.includes("does not support")) {
    return "PEER_LACKS_FEATURE";
  }
  return /anchor .* (?:not found|removed)/.test(reason) ? "STREAM_UNKNOWN" : "STREAM_FAILED";
}
