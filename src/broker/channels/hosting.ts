import { z } from "zod";
import { type InstanceId, systemContract } from "../../core/mod.ts";
import type { PeerConnection, SystemCall, SystemPort } from "../../messenger/mod.ts";
import { type StreamPort, streamsAt, type StreamWindow } from "../../streams/mod.ts";
import { channelPatterns } from "../contract.ts";
import { brokerErrors } from "../errors.ts";
import { longestChannelName } from "../names.ts";

/** The stream that one side will read. */
const invitationSchema = z.object({
  /** The reader's id of the stream: a decimal number. */
  anchor: z.string().regex(/^[1-9][0-9]{0,18}$/),
  window: z.object({ items: z.int().min(1).max(65_535), bytes: z.int().min(1).max(0x7fff_ffff) }),
});

/** The contract by which a consumer asks a producer for its messages. */
export const openContract = systemContract("_channel.open", {
  input: invitationSchema.extend({
    channel: z.string().max(longestChannelName),
    pattern: z.enum(channelPatterns),
    /** The consumer's presence. */
    consumer: z.int().min(1),
  }),
  output: z.object({
    /** The number of the next message. */
    sequence: z.int().min(1),
    /** The same number after each opening at the same run of the producer, and at no other. */
    run: z.string().max(64),
    /** The stream for the consumer's own messages. */
    reply: invitationSchema.nullable(),
  }),
  errors: { ...brokerErrors, FORBIDDEN: null, LIMIT_REACHED: null },
});

/** A stream that one side will read, as it travels. */
export type InvitationView = z.infer<typeof invitationSchema>;
/** The answer of a producer. */
export type OpenAnswer = z.infer<typeof openContract.output>;
/** The call of a consumer. */
export type OpenCall = SystemCall<typeof openContract>;

/** A stream that one side will read. */
export interface Invitation {
  readonly anchor: bigint;
  readonly window: StreamWindow;
}

/** A consumer that asks for messages. */
export interface ConsumerClaim {
  /** Its presence, as it says. */
  readonly consumer: number;
  /** The instance that asks: its own, or the broker that relays for it. */
  readonly instance: InstanceId;
}

/** A consumer that opens a channel. */
export interface ChannelOpening extends ConsumerClaim {
  /** The stream that it reads. */
  readonly invitation: Invitation;
  /** The connection by which it asks. */
  readonly connection: PeerConnection;
  /** The call, for its declared errors and its end. */
  readonly call: Pick<OpenCall, "fail" | "signal" | "input">;
}

/** A channel that consumers of other instances open here. */
export interface HostedChannel {
  readonly name: string;
  /** A consumer opens it. @throws {ZeromeshError} The declared errors of {@link openContract}. */
  open(opening: ChannelOpening): OpenAnswer | Promise<OpenAnswer>;
}

/** What ends with the messenger. */
interface Invalidated {
  invalidate(reason: string): void;
}

const hosts = new WeakMap<SystemPort, ChannelHost>();

/** The channels of one messenger: those that consumers find here, and all that end with it. */
export class ChannelHost {
  readonly port: SystemPort;
  readonly mux: StreamPort;
  readonly #channels = new Map<string, HostedChannel>();
  readonly #live = new Set<Invalidated>();
  #other: ((opening: ChannelOpening) => OpenAnswer | Promise<OpenAnswer>) | null = null;

  private constructor(port: SystemPort) {
    this.port = port;
    this.mux = streamsAt(port);
    port.serve(openContract, (call) => this.#open(call));
    // The other sides hear of it while there are connections.
    this.mux.beforeClose(() => {
      for (const one of [...this.#live]) one.invalidate("the messenger has closed");
    });
  }

  /** The one of a messenger, given its port. */
  static of(port: SystemPort): ChannelHost {
    let host = hosts.get(port);
    if (host === undefined) hosts.set(port, host = new ChannelHost(port));
    return host;
  }

  /** Consumers find a channel from now on. It takes the place of one with the same name. */
  add(channel: HostedChannel): void {
    this.#channels.set(channel.name, channel);
  }

  /** Consumers find it no more. */
  remove(channel: HostedChannel): void {
    if (this.#channels.get(channel.name) === channel) this.#channels.delete(channel.name);
  }

  /** A side of a channel lives, and ends with the messenger. */
  keep(one: Invalidated): void {
    this.#live.add(one);
  }

  /** It has ended. */
  release(one: Invalidated): void {
    this.#live.delete(one);
  }

  /** Opens channels that are produced elsewhere; null for nobody. */
  set other(open: ((opening: ChannelOpening) => OpenAnswer | Promise<OpenAnswer>) | null) {
    this.#other = open;
  }

  #open(call: OpenCall): OpenAnswer | Promise<OpenAnswer> {
    const { channel, consumer } = call.input;
    const sender = this.port.senderOf(call);
    if (sender === null) throw call.fail("FORBIDDEN");
    const hosted = this.#channels.get(channel);
    const opening: ChannelOpening = {
      consumer,
      instance: sender.instanceId,
      invitation: invitationOf(call.input),
      connection: call.session,
      call,
    };
    if (hosted !== undefined) return hosted.open(opening);
    if (this.#other !== null) return this.#other(opening);
    throw call.fail("CHANNEL_NOT_FOUND", { channel }, `No producer of channel "${channel}" is here`);
  }
}

/** What a side reads, as it travels. */
export function invitationView({ anchor, window: { items, bytes } }: Invitation): InvitationView {
  return { anchor: String(anchor), window: { items, bytes } };
}

/** The same, as it arrived. */
export function invitationOf({ anchor, window }: InvitationView): Invitation {
  return { anchor: BigInt(anchor), window };
}
