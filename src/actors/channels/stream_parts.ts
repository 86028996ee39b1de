import { Deadlines, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { type StreamMux, streamsAt, type StreamWindow } from "../../streams/mod.ts";
import type { Side, SideOwner } from "./side.ts";

const all = new WeakMap<SystemPort, ChannelStreams>();

/** What the channels of one messenger to other instances share. */
export class ChannelStreams implements SideOwner {
  readonly port: SystemPort;
  readonly mux: StreamMux;
  readonly deadlines: Deadlines;
  readonly #written = new Set<InstanceId>();
  readonly #sides = new Set<Side>();
  /** Those that no actor has opened, by the ids of their channels. */
  readonly #outside = new Map<string, Side>();

  private constructor(port: SystemPort) {
    this.port = port;
    this.mux = streamsAt(port);
    this.deadlines = new Deadlines(port.clock);
    port.watch({ closing: () => this.deadlines.close() });
    // The other sides learn that this instance has closed in order, which is no loss.
    this.mux.beforeClose(() => {
      for (const side of [...this.#sides]) side.abandon("peerStopped");
    });
    // Items leave before the messages that are sent after them.
    port.beforeCalls(() => {
      if (this.#written.size === 0) return;
      for (const peer of this.#written) this.mux.flush(peer);
      this.#written.clear();
    });
  }

  /** Those of a messenger, given its port. */
  static of(port: SystemPort): ChannelStreams {
    let streams = all.get(port);
    if (streams === undefined) all.set(port, streams = new ChannelStreams(port));
    return streams;
  }

  /** A channel is open. @param outside Whether it was opened by no actor. */
  opened(side: Side, outside = false): void {
    this.#sides.add(side);
    if (outside) this.#outside.set(side.id, side);
  }

  closed(side: Side): void {
    this.#sides.delete(side);
    if (this.#outside.get(side.id) === side) this.#outside.delete(side.id);
  }

  /** The open channel that this messenger has opened without an actor; undefined without one. */
  find(id: string): Side | undefined {
    return this.#outside.get(id);
  }

  /** Something was written to an instance, and may not have left yet. */
  wrote(peer: InstanceId): void {
    this.#written.add(peer);
  }
}

/** Bytes of what a side says about the stream that it will read: its anchor, and the window in items and bytes. */
export const invitationBytes = 16;

/** What a side says about the stream that it will read. */
export interface Invitation {
  readonly anchor: bigint;
  readonly window: StreamWindow;
}

/** Writes an invitation, big-endian. */
export function writeInvitation(bytes: Uint8Array, at: number, { anchor, window }: Invitation): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setBigUint64(at, anchor);
  view.setUint32(at + 8, window.items);
  view.setUint32(at + 12, window.bytes);
}

/** Reads an invitation; null if there is none, or it makes no sense. */
export function readInvitation(bytes: Uint8Array, at: number, end: number): Invitation | null {
  if (at + invitationBytes > end) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const anchor = view.getBigUint64(at);
  const items = view.getUint32(at + 8);
  const windowBytes = view.getUint32(at + 12);
  const sensible = anchor > 0n && anchor < 1n << 62n && items > 0 && items < 2 ** 20 && windowBytes > 0 &&
    windowBytes < 2 ** 31;
  return sensible ? { anchor, window: { items, bytes: windowBytes } } : null;
}

/**
 * Why an opener waits no more, as a reason of a channel's end.
 *
 * @param leaving Whether its instance has said that it closes.
 */
export function endOf(reason: unknown, leaving = false): string {
  const code = reason instanceof ZeromeshError ? reason.code : "";
  if (code === "PEER_DISCONNECTED") return leaving ? "peerStopped" : "peerLost";
  return code === "TIMEOUT" ? "timeout" : "cancelled";
}
