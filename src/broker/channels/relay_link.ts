import type { InstanceId } from "../../core/mod.ts";
import {
  type ByteReader,
  type ByteWriter,
  type ReaderEvents,
  type StreamEnd,
  terminalFrames,
  transportErrorFrame,
  type WriterEvents,
} from "../../streams/mod.ts";
import { writeGap } from "./frames.ts";
import {
  type ChannelHost,
  type ChannelOpening,
  type ConsumerClaim,
  type Invitation,
  invitationOf,
  invitationView,
  type OpenAnswer,
  openContract,
} from "./hosting.ts";

/** The producer of a channel for a consumer that cannot connect to it; null without one. */
export type RelayLookup = (
  channel: string,
  claim: ConsumerClaim,
) => InstanceId | null | Promise<InstanceId | null>;

/** Counters of a {@link ChannelRelay}. */
export interface RelayStats {
  /** Consumers that it serves. */
  readonly links: number;
  /** Messages that went through it, in both directions. */
  readonly messages: number;
  /** Their bytes. */
  readonly bytes: number;
}

const openTimeoutMs = 10_000;
const openMs = 30_000;

/**
 * Passes messages on between producers and consumers that cannot connect to each other. It takes the next message only
 * when the other side had credit for the last one, so that what waits here is no more than a window in each direction.
 */
export class ChannelRelay {
  readonly #host: ChannelHost;
  readonly #lookup: RelayLookup;
  readonly #counts = { links: 0, messages: 0, bytes: 0 };

  /** @param host The channels of the messenger that relays: consumers open other channels at it from now on. */
  constructor(host: ChannelHost, lookup: RelayLookup) {
    this.#host = host;
    this.#lookup = lookup;
    host.other = (opening) => this.#open(opening);
  }

  /** A snapshot of its counters. */
  stats(): RelayStats {
    return { ...this.#counts };
  }

  /** Relays for no further consumers. */
  close(): void {
    this.#host.other = null;
  }

  async #open({ consumer, instance, invitation, connection, call }: ChannelOpening): Promise<OpenAnswer> {
    const { mux, port } = this.#host;
    const { channel, pattern } = call.input;
    const producer = await this.#lookup(channel, { consumer, instance });
    call.signal.throwIfAborted();
    if (producer === null) {
      throw call.fail("CHANNEL_NOT_FOUND", { channel }, `Channel "${channel}" has no producer to relay`);
    }
    const { window } = invitation;
    const own: Invitation = { anchor: mux.newId(), window };
    const down = new Passage(this.#counts);
    down.reader = mux.bind(producer, bound(own), down.readerEvents);
    let up: Passage | null = null;
    try {
      const input = { channel, pattern, consumer, ...invitationView(own) };
      const { signal } = call;
      const answer = await port.call(openContract, producer, input, { timeoutMs: openTimeoutMs, signal });
      const about = { ...opened(invitation), connection };
      down.writer = mux.openWriter(instance, about, down.writerEvents);
      let reply: Invitation | null = null;
      if (answer.reply !== null) {
        const theirs = invitationOf(answer.reply);
        reply = { anchor: mux.newId(), window: theirs.window };
        up = new Passage(this.#counts);
        up.reader = mux.bind(instance, { ...bound(reply), connection }, up.readerEvents);
        up.writer = mux.openWriter(producer, opened(theirs), up.writerEvents);
      }
      this.#counts.links++;
      down.over = () => this.#counts.links--;
      down.start();
      up?.start();
      return { ...answer, reply: reply === null ? null : invitationView(reply) };
    } catch (error) {
      down.cut();
      up?.cut();
      throw error;
    }
  }
}

function bound(invitation: Invitation) {
  return { ...invitation, session: invitation.anchor, creditsBytes: true, openMs };
}

function opened(invitation: Invitation) {
  return { ...invitation, session: invitation.anchor, creditsBytes: true };
}

/** One direction. */
class Passage {
  reader: ByteReader | null = null;
  writer: ByteWriter | null = null;
  /** Called once when it has ended. */
  over: () => void = () => {};
  readonly readerEvents: ReaderEvents = { readable: () => this.#move() };
  readonly writerEvents: WriterEvents = {
    credit: () => this.#move(),
    stop: () => this.reader?.stop(),
    ended: () => this.cut(),
  };
  readonly #counts: { messages: number; bytes: number };
  #started = false;
  #over = false;
  /** The next frame, which waits for credit. */
  #held: Uint8Array | null = null;

  constructor(counts: { messages: number; bytes: number }) {
    this.#counts = counts;
  }

  /** Begins to pass messages on. */
  start(): void {
    this.#started = true;
    this.#move();
  }

  /** Ends both streams. */
  cut(): void {
    this.#end({ reason: "dropped", text: "" });
    this.reader?.cancel();
  }

  #move(): void {
    const { reader, writer } = this;
    if (!this.#started || this.#over || reader === null || writer === null) return;
    for (;;) {
      const frame = this.#held ?? reader.take();
      if (frame === undefined) break;
      const passed = frame.length > writer.maxFrameBytes ? writeGap(writer, 1) > 0 : writer.write(frame);
      if (!passed) {
        this.#held = frame;
        return;
      }
      this.#held = null;
      this.#counts.messages++;
      this.#counts.bytes += frame.length;
    }
    if (reader.ended !== null) this.#end(reader.ended);
  }

  #end(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    const { writer } = this;
    if (writer !== null && writer.ended === null) writer.end(lastFrame(end));
    if (this.#started) this.over();
  }
}

/** The last frame of a stream that ends as another one did. */
function lastFrame({ reason, text }: StreamEnd): Uint8Array {
  switch (reason) {
    case "finalized":
      return terminalFrames.finalized;
    case "detached":
      return terminalFrames.detached;
    case "failed":
      return transportErrorFrame(text);
    default:
      return terminalFrames.dropped;
  }
}
