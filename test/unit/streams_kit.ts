/** Instances whose streams meet in memory, in virtual time. */
import {
  type InstanceId,
  newInstanceId,
  silentLogger,
  workerIdOf,
  ZeromeshError,
} from "../../src/core/mod.ts";
import type { SystemMessage, SystemPort, SystemSender } from "../../src/messenger/mod.ts";
import { AnchorTable } from "../../src/streams/anchors/anchor_table.ts";
import { serveAnchors } from "../../src/streams/anchors/control_handlers.ts";
import { LocalPair } from "../../src/streams/anchors/local_pair.ts";
import { Streams } from "../../src/streams/anchors/streams.ts";
import type { ByteReader, ByteWriter, StreamMux, WriterEvents } from "../../src/streams/byte_stream.ts";
import { FakeClock } from "./core_fake_clock.ts";

const narrow = { items: 8, bytes: 1 << 20 };

/** The names of the handlers of anchors. */
export const anchorHandlers = [
  "_anchor_attach",
  "_anchor_abort_attach",
  "_anchor_detach",
  "_anchor_finalize",
  "_anchor_cancel",
  "_anchor_renew",
  "_mpsc_anchor_attach",
  "_mpsc_anchor_detach",
  "_mpsc_anchor_cancel",
  "_stream_cancel",
  "_stream_stop",
] as const;

/** A call that an instance made. */
export interface MadeCall {
  readonly name: string;
  readonly text: string;
}

/** Makes the streams of an instance. */
export type MakeMux = (node: StreamNode) => StreamMux;

/** Instances that know each other. */
export class StreamNet {
  /** The time. */
  readonly clock = new FakeClock();
  readonly #nodes = new Map<InstanceId, StreamNode>();
  /** What their streams are, unless they are pairs in memory. */
  readonly makeMux: MakeMux | null;

  constructor(makeMux: MakeMux | null = null) {
    this.makeMux = makeMux;
  }

  /** Adds an instance. @param ours Whether it is one of this library for the others. */
  node({ ours = true, maxAnchors = 100 } = {}): StreamNode {
    const id = newInstanceId();
    const node = new StreamNode(this, id, ours, maxAnchors);
    this.#nodes.set(id, node);
    return node;
  }

  /** The instance with an id. */
  get(id: InstanceId): StreamNode {
    return this.#nodes.get(id)!;
  }

  /** All of them. */
  get nodes(): readonly StreamNode[] {
    return [...this.#nodes.values()];
  }
}

/** One instance. */
export class StreamNode {
  readonly net: StreamNet;
  readonly id: InstanceId;
  readonly worker: bigint;
  readonly ours: boolean;
  /** Its streams. */
  readonly streams: Streams;
  /** Its anchors and senders. */
  readonly table: AnchorTable;
  /** How many waits keep its process alive. */
  held = 0;
  /** What it sent. */
  readonly sent: MadeCall[] = [];
  /** Answers that replace those of its handlers, by name. */
  readonly answers = new Map<string, string>();
  readonly #handlers = new Map<string, (message: SystemMessage) => unknown>();
  readonly #bound = new Map<string, { pair: LocalPair; writer: WriterEvents | null }>();
  readonly #prepared = new Map<string, (peer: InstanceId) => void>();
  #lastId = 0n;

  constructor(net: StreamNet, id: InstanceId, ours: boolean, maxAnchors: number) {
    this.net = net;
    this.id = id;
    this.worker = workerIdOf(id);
    this.ours = ours;
    this.table = new AnchorTable(this.#port(), net.makeMux?.(this) ?? this.#mux(), maxAnchors);
    this.streams = new Streams(() => this.table);
    serveAnchors(this.#port(), () => this.table);
  }

  /** Gives a message to one of its handlers, as if another instance had sent it; resolves to the answer. */
  async receive(name: string, text: string, from: StreamNode | null): Promise<string> {
    const answer = this.answers.get(name);
    if (answer !== undefined) return answer;
    const handler = this.#handlers.get(name);
    if (handler === undefined) throw new ZeromeshError("HANDLER_NOT_FOUND", `there is no ${name}`);
    const message = { lentPayload: new TextEncoder().encode(text), from } as unknown as SystemMessage;
    const result = await handler(message) as Uint8Array | undefined;
    return new TextDecoder().decode(result);
  }

  /** Ends it. */
  close(): void {
    this.table.close();
  }

  /** Ends all of its streams as a lost connection does. */
  loseConnections(): void {
    for (const { pair, writer } of this.#bound.values()) {
      pair.ended ??= { reason: "peerLost", text: "" };
      writer?.ended?.(pair.ended);
      pair.toReader.readable();
    }
  }

  #port(): SystemPort {
    const port: Partial<SystemPort> = {
      instanceId: this.id,
      workerId: this.worker as SystemPort["workerId"],
      clock: this.net.clock,
      logger: silentLogger,
      textOf: (id) => id,
      authorize: () => Promise.resolve(),
      hold: () => {
        this.held++;
        return { [Symbol.dispose]: () => void this.held-- };
      },
      senderOf: (message) => {
        const { from } = message as unknown as { from: StreamNode | null };
        return from === null ? null : { instanceId: from.id, workerId: from.worker } as SystemSender;
      },
      peerOf: (low, high) => {
        const worker = (BigInt(high) << 32n) | BigInt(low);
        return this.net.nodes.find((node) => node.worker === worker)?.id ?? null;
      },
      find: () => null,
      hasWay: () => true,
      handle: (name, _kind, run) => {
        this.#handlers.set(name, run);
        return { [Symbol.dispose]() {} };
      },
      notify: (name, to, payload) => {
        const sent = { name: new TextDecoder().decode(name), text: new TextDecoder().decode(payload) };
        this.sent.push(sent);
        void this.net.get(to).receive(sent.name, sent.text, this);
        return true;
      },
      call: ((name: string, to: InstanceId, payload: Uint8Array, { signal }: { signal?: AbortSignal }) => {
        const text = new TextDecoder().decode(payload);
        this.sent.push({ name, text });
        const answer = this.net.get(to).receive(name, text, this);
        return Promise.race([
          answer.then((encoded) => new TextEncoder().encode(encoded)),
          new Promise((_resolve, reject) => {
            signal?.addEventListener("abort", () => reject(signal.reason));
          }),
        ]);
      }) as unknown as SystemPort["call"],
    };
    return port as SystemPort;
  }

  #mux(): StreamMux {
    return {
      window: narrow,
      newId: () => ++this.#lastId,
      flush: () => {},
      forgotten: () => {},
      beforeClose: () => {},
      supports: (peer) => this.net.get(peer).ours && this.ours,
      bind: (_peer, { anchor, session, window }, events) => {
        const slot: { pair: LocalPair; writer: WriterEvents | null } = {
          writer: null,
          pair: new LocalPair(events, {
            credit: () => slot.writer?.credit?.(),
            stop: () => slot.writer?.stop?.(),
            ended: (end) => slot.writer?.ended?.(end),
          }, window),
        };
        this.#bound.set(`${anchor}.${session}`, slot);
        return slot.pair as unknown as ByteReader;
      },
      prepare: (anchor, session, opened) => {
        const key = `${anchor}.${session}`;
        this.#prepared.set(key, opened);
        return { [Symbol.dispose]: () => void this.#prepared.delete(key) };
      },
      openWriter: (peer, { anchor, session }, events) => {
        const key = `${anchor}.${session}`;
        const other = this.net.get(peer);
        const opened = other.#prepared.get(key);
        other.#prepared.delete(key);
        opened?.(this.id);
        const slot = other.#bound.get(key);
        if (slot === undefined) throw new ZeromeshError("PEER_DISCONNECTED", "there is no such stream");
        slot.writer = events;
        return slot.pair as unknown as ByteWriter;
      },
    };
  }
}
