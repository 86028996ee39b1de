/** A door for foreign programs on a registry without a broker, and programs that knock at it. */
import assert from "node:assert/strict";
import { LeaseTable, systemClock } from "../../src/core/mod.ts";
import { PlainDoor, type PlainDoorOptions } from "../../src/broker/plain/door.ts";
import { ChannelRegistry } from "../../src/broker/registry/registry.ts";
import { within } from "./until.ts";
import * as zmq from "zeromesh/zmq";

/** The body of a message. */
export type Body = Record<string, unknown>;

/** A door, and what is behind it. */
export interface DoorScene extends AsyncDisposable {
  readonly door: PlainDoor;
  readonly registry: ChannelRegistry;
  /** What was logged. */
  readonly log: string[];
}

/** Options of {@link openDoor}. */
export type DoorSceneOptions = Partial<PlainDoorOptions> & {
  /** How long a presence lives without a heartbeat. */
  readonly graceMs?: number;
  /** How long a closing channel waits. */
  readonly closeGraceMs?: number;
};

/** Opens a door. */
export async function openDoor(options: DoorSceneOptions = {}): Promise<DoorScene> {
  const { graceMs = 60_000, closeGraceMs = 60_000 } = options;
  const log: string[] = [];
  const record = (level: string) => (message: string, fields?: object): void => {
    log.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const logger = {
    debug: record("debug"),
    info: record("info"),
    warn: record("warn"),
    error: record("error"),
  };
  let door: PlainDoor | undefined;
  const leases = new LeaseTable<number>({
    clock: systemClock,
    expired: (presence) => registry.expire(presence),
  });
  const closings = new Set<() => void>();
  const registry: ChannelRegistry = new ChannelRegistry({
    notice: (client, notice) => void door?.notice(client, notice),
    renew: (presence) => void leases.renew(presence, graceMs),
    release(presence) {
      leases.remove(presence);
      door?.released(presence);
    },
    grace: (channel, closing) =>
      void closings.add(systemClock.after(closeGraceMs, () => registry.graceOver(channel, closing))),
  }, { closeGraceMs });
  const opened = door = await PlainDoor.open({
    endpoint: "tcp://127.0.0.1:0",
    curve: null,
    registry,
    logger,
    heartbeatMs: graceMs / 3,
    graceMs,
    ...options,
  });
  return {
    door: opened,
    registry,
    log,
    async [Symbol.asyncDispose]() {
      await opened.close();
      leases[Symbol.dispose]();
      for (const cancel of closings) cancel();
    },
  };
}

/** How a program connects. */
export interface ProgramOptions {
  /** Its routing id. */
  readonly name?: string;
  /** Whether it speaks the older form of frames. */
  readonly older?: boolean;
  readonly keys?: zmq.CurveKeyPair;
  readonly serverKey?: string;
}

/** An answer or a notice. */
export interface Heard {
  readonly type: string;
  readonly correlation: string | null;
  readonly body: Body;
}

/** A foreign program: a DEALER. */
export class Program implements AsyncDisposable {
  readonly dealer: zmq.Dealer;
  readonly notices: Heard[] = [];
  readonly #older: boolean;
  #asked = 0;

  constructor(endpoint: string, { name, older = false, keys, serverKey }: ProgramOptions = {}) {
    this.#older = older;
    this.dealer = new zmq.Dealer({ linger: 0, receiveTimeout: 10_000 });
    if (name !== undefined) this.dealer.routingId = name;
    if (keys !== undefined) {
      this.dealer.curveServerKey = serverKey!;
      this.dealer.curvePublicKey = keys.publicKey;
      this.dealer.curveSecretKey = keys.secretKey;
    }
    this.dealer.connect(endpoint);
  }

  /** Sends a message without waiting for an answer. Returns its correlation id. */
  async tell(type: string, body: Body = {}): Promise<string> {
    const correlation = type.endsWith("_NOTIFY") ? "" : `c${++this.#asked}`;
    const frames = this.#older ? ["C", type] : ["C", type, correlation];
    await this.dealer.send([...frames, JSON.stringify(body)]);
    return correlation;
  }

  /** The next message that comes. */
  async hear(): Promise<Heard> {
    const frames = (await this.dealer.receive()).map(String);
    assert.equal(frames.length, this.#older ? 3 : 4, `${frames}`);
    const [mark, type] = frames;
    assert.equal(mark, "C");
    return {
      type: type!,
      correlation: this.#older ? null : frames[2]!,
      body: JSON.parse(frames.at(-1)!) as Body,
    };
  }

  /** Asks, and returns the answer; notices that come before it are kept. */
  async ask(type: string, body: Body = {}): Promise<Heard> {
    const correlation = await this.tell(type, body);
    for (;;) {
      const heard = await within(this.hear(), 10_000, `an answer to ${type}`);
      const isAnswer = this.#older
        ? heard.type === "ERROR" || heard.type.endsWith("_ACK")
        : heard.correlation === correlation;
      if (isAnswer) return heard;
      this.notices.push(heard);
    }
  }

  /** {@link ask}; the answer must be a success of the right type. */
  async get(type: string, body: Body = {}): Promise<Body> {
    const { type: ack, body: answer } = await this.ask(type, body);
    assert.equal(ack, type.replace(/_REQ$/, "_ACK"), JSON.stringify(answer));
    assert.equal(answer["status"], "success");
    return answer;
  }

  /** {@link ask}; the answer must be an error. Returns its code. */
  async refusal(type: string, body: Body = {}): Promise<string> {
    const { type: ack, correlation, body: answer } = await this.ask(type, body);
    assert.deepEqual([ack, answer["status"]], ["ERROR", "error"], JSON.stringify(answer));
    if (correlation !== null) assert.equal(answer["correlation_id"], correlation);
    assert.equal(typeof answer["message"], "string");
    return String(answer["error_code"]);
  }

  /** The next notice. */
  async notice(): Promise<Heard> {
    return this.notices.shift() ?? await within(this.hear(), 10_000, "a notice");
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.dealer.close();
    return Promise.resolve();
  }
}
