import { pause, type ZeromeshError } from "../../core/mod.ts";
import type { ChannelSendOptions, ConsumeOptions } from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import { loadBlake2b } from "./blake2b.ts";
import type { Lane } from "./plain_lane.ts";
import type { PlainKeys } from "./plain_options.ts";
import { type PlainParts, PlainSide } from "./plain_side.ts";
import { type ConnectedSocket, connectPlain, type PlainRoute } from "./plain_sockets.ts";

/** What a consumer of plain data is made of. */
export interface PlainConsumerParts extends Omit<PlainParts, "blake2b"> {
  readonly options: ConsumeOptions;
  /** Where the data comes from. */
  readonly route: PlainRoute;
  /** The number that the broker gave it. */
  readonly presence: number;
  /** Its CURVE keys. @default {a new pair, for a producer with keys} */
  readonly keys?: PlainKeys | undefined;
}

// A socket is silent for so long when all that its producer has sent has come.
const silenceMs = 200;

/** A channel whose data this instance receives over sockets of ZeroMQ: PULL, SUB or DEALER, by the pattern. */
export class PlainConsumer extends PlainSide {
  readonly role = "consumer";
  readonly #socket: ConnectedSocket;
  readonly #lane: Lane | null;
  #route: PlainRoute;
  #arrived = 0;
  #ending: Promise<void> | null = null;

  private constructor(parts: PlainParts, socket: ConnectedSocket, route: PlainRoute) {
    super(parts, socket, socket.writer !== null);
    this.#socket = socket;
    this.#route = route;
    this.#lane = socket.writer === null ? null : this.lane((frame) => socket.writer!.send(frame));
    const stream = this.stream(null, parts.contract.message);
    this.read(socket.reader!, ([frame]) => {
      this.#arrived++;
      return frame === undefined ? null : { stream, frame };
    });
  }

  /** Opens the socket of a consumer. @throws {ZeromeshError} `ENDPOINT_INVALID`. */
  static async open({ route, presence, keys, ...parts }: PlainConsumerParts): Promise<PlainConsumer> {
    const { port, contract } = parts;
    const blake2b = await loadBlake2b();
    const socket = await connectPlain(contract.pattern, presence, keys ?? null, port.maxPayloadBytes);
    try {
      socket.connect(route);
    } catch (error) {
      await socket.close(0);
      throw error;
    }
    return new PlainConsumer({ ...parts, blake2b }, socket, route);
  }

  /** The data comes from another producer, or from another place. */
  moved(route: PlainRoute): void {
    if (
      this.state === "ended" || (route.endpoint === this.#route.endpoint && route.key === this.#route.key)
    ) return;
    this.#route = route;
    this.#socket.connect(route);
    this.publish({ type: "producerBack", restarted: true });
  }

  /** The channel has ended. What is still on its way arrives, and is read. */
  ended(reason: ZeromeshError): Promise<void> {
    return this.#ending ??= this.#drain(reason);
  }

  async #drain({ message }: ZeromeshError): Promise<void> {
    const { clock } = this.parts.port;
    const source = this.source!;
    for (let before = -1; before !== this.#arrived && this.state !== "ended";) {
      before = this.#arrived;
      await pause(clock, silenceMs);
      // Behind what has come and was not read there may be more, which waits for room here.
      while (source.size > 0 && this.isValid) await pause(clock, silenceMs);
    }
    await this.finish(0, message);
  }

  consumers(): [] {
    return [];
  }

  protected override sentSchema(): ChannelContract["message"] {
    return this.contract.reply;
  }

  protected override *lanes(): Iterable<Lane> {
    if (this.#lane !== null) yield this.#lane;
  }

  protected override sendPayload(payload: Uint8Array, options: ChannelSendOptions | null): Promise<void> {
    const lane = this.#lane!;
    return lane.send(this.frame(lane, payload), options, false);
  }
}
