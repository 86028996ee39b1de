import { type InstanceId, pause, ZeromeshError } from "../../core/mod.ts";
import type {
  ChannelConsumer,
  ChannelSendOptions,
  ConnectedConsumer,
  ProduceOptions,
} from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { ConsumerView } from "../protocol/notices.ts";
import { loadBlake2b } from "./blake2b.ts";
import type { Lane } from "./plain_lane.ts";
import type { PlainOptions } from "./plain_options.ts";
import { type PlainParts, PlainSide } from "./plain_side.ts";
import { bindPlain, type BoundSocket, type PlainRoute } from "./plain_sockets.ts";
import type { PlainStream } from "./plain_stream.ts";
import { encodeUtf8 } from "../../wire/mod.ts";

/** What a producer of plain data is made of. */
export interface PlainProducerParts extends Omit<PlainParts, "blake2b"> {
  readonly options: ProduceOptions;
  readonly plain: PlainOptions;
}

/** A consumer that the broker has told of. */
interface Consumer {
  readonly view: ChannelConsumer;
  /** Its CURVE key, if the broker knows it by that. */
  readonly identity: string;
  /** What waits for it, with the pattern bidirectional. */
  readonly lane: Lane | null;
  readonly stream: PlainStream | null;
}

// A consumer registers before it connects.
const admitMs = 5_000;
const retryMs = 5;

/** A channel whose data this instance sends over sockets of ZeroMQ: PUSH, PUB or ROUTER, by the pattern. */
export class PlainProducer extends PlainSide {
  readonly role = "producer";
  /** Where consumers find its data. */
  readonly route: PlainRoute;
  readonly #socket: BoundSocket;
  readonly #lane: Lane;
  readonly #consumers = new Map<number, Consumer>();
  /** Connections that wait for the broker to name their consumers. */
  readonly #asking = new Set<{ told(): void; end(admitted: boolean): void }>();
  #unheard = 0;

  private constructor(
    parts: PlainParts,
    socket: BoundSocket,
    admits: { check: (key: string) => Promise<boolean> },
  ) {
    super(parts, socket, true);
    this.route = socket.route;
    this.#socket = socket;
    this.#lane = this.lane((frame) => socket.writer!.send(frame));
    admits.check = (key) => this.#admits(key);
    if (socket.reader === null) return;
    this.read(socket.reader, ([id, frame]) => {
      const stream = this.#consumers.get(Number(String(id)))?.stream;
      return stream == null || frame === undefined ? null : { stream, frame };
    });
  }

  /** Opens the socket of a producer. @throws {ZeromeshError} `ADDRESS_IN_USE`, `ENDPOINT_INVALID`. */
  static async open({ plain, ...parts }: PlainProducerParts): Promise<PlainProducer> {
    const { port, contract } = parts;
    const admits = { check: (_key: string): Promise<boolean> => Promise.resolve(false) };
    const blake2b = await loadBlake2b();
    const socket = await bindPlain(contract.pattern, plain, port.maxPayloadBytes, (key) => admits.check(key));
    return new PlainProducer({ ...parts, blake2b }, socket, admits);
  }

  consumers(): ConnectedConsumer[] {
    return [...this.#consumers.values()].map(({ view, lane }) => ({ ...view, unread: lane?.queued ?? 0 }));
  }

  override stats(): ReturnType<PlainSide["stats"]> {
    const stats = super.stats();
    return { ...stats, dropped: stats.dropped + this.#unheard };
  }

  /** The broker tells of a consumer. */
  joined({ presence, identity, instance, name }: ConsumerView): void {
    if (this.#consumers.has(presence)) return;
    const bidirectional = this.contract.pattern === "bidirectional";
    const view = { presence, instance: instance as InstanceId, name };
    const id = encodeUtf8(String(presence));
    this.#consumers.set(presence, {
      view,
      identity,
      lane: bidirectional ? this.lane((frame) => this.#deliver(presence, id, frame)) : null,
      stream: bidirectional ? this.stream(presence, this.contract.reply) : null,
    });
    for (const asking of [...this.#asking]) asking.told();
    this.publish({ type: "joined", consumer: view });
  }

  /** The broker says that a consumer has gone. */
  gone(presence: number, died: boolean): void {
    const consumer = this.#consumers.get(presence);
    if (consumer === undefined) return;
    this.#consumers.delete(presence);
    consumer.lane?.end(notConnected(this.contract, presence));
    this.publish({ type: "left", consumer: consumer.view, why: died ? "lost" : "left" });
    this.look();
  }

  protected override sentSchema(): ChannelContract["message"] {
    return this.contract.message;
  }

  protected override *lanes(): Iterable<Lane> {
    yield this.#lane;
    for (const { lane } of this.#consumers.values()) if (lane !== null) yield lane;
  }

  protected override sendPayload(payload: Uint8Array, options: ChannelSendOptions | null): Promise<void> {
    const { pattern } = this.contract;
    if (pattern === "bidirectional") return this.#sendTo(payload, options);
    // Nobody else tells a PUB socket that nobody listens.
    if (pattern === "pubsub" && this.#consumers.size === 0) this.#unheard++;
    return this.#lane.send(this.frame(this.#lane, payload), options, false);
  }

  #sendTo(payload: Uint8Array, options: ChannelSendOptions | null): Promise<void> {
    const to = options?.to;
    if (to !== undefined) {
      const lane = this.#consumers.get(to)?.lane;
      if (lane == null) throw notConnected(this.contract, to);
      return lane.send(this.frame(lane, payload), options, false);
    }
    const lanes = [...this.#consumers.values()].map(({ lane }) => lane!);
    if (lanes.length === 0) this.#unheard++;
    return Promise.all(lanes.map((lane) => lane.send(this.frame(lane, payload), options, true))).then(
      () => {},
    );
  }

  /** Hands a frame to a consumer that is connected, or will be soon. */
  async #deliver(presence: number, id: Uint8Array, frame: Uint8Array): Promise<void> {
    const { clock } = this.parts.port;
    const router = this.#socket.writer!;
    while (!router.closed && this.#consumers.has(presence)) {
      try {
        return await router.send([id, frame] as never);
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (code !== "EAGAIN" && code !== "EHOSTUNREACH") throw error;
        await pause(clock, retryMs);
      }
    }
    throw notConnected(this.contract, presence);
  }

  protected override finish(lingerMs: number, reason: string, error?: ZeromeshError): Promise<void> {
    for (const asking of [...this.#asking]) asking.end(false);
    return super.finish(lingerMs, reason, error);
  }

  /** Whether the owner of a key may connect. Its registration and its connection come by different ways. */
  async #admits(key: string): Promise<boolean> {
    const known = (): boolean =>
      [...this.#consumers.values()].some(({ identity }) =>
        identity === key || identity.length !== key.length
      );
    if (known()) return true;
    if (this.state === "ended") return false;
    const { clock } = this.parts.port;
    return await new Promise<boolean>((resolve) => {
      const end = (admitted: boolean): void => {
        this.#asking.delete(asking);
        cancel();
        resolve(admitted);
      };
      const told = (): void => {
        if (known()) end(true);
      };
      const asking = { told, end };
      const cancel = clock.after(admitMs, () => end(false));
      this.#asking.add(asking);
    });
  }
}

function notConnected({ name }: ChannelContract, presence: number): ZeromeshError {
  return new ZeromeshError("NOT_REGISTERED", `Consumer ${presence} of channel "${name}" is not connected`, {
    ran: "no",
    details: { channel: name },
  });
}
