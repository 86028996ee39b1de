/** Anchors and senders in random use, over the multiplexer itself, in virtual time; and hostile control messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Anchor } from "../../src/streams/anchors/anchor.ts";
import type { AnchorFrame } from "../../src/streams/anchors/frames.ts";
import type { StreamSender } from "../../src/streams/anchors/sender.ts";
import type { StreamTicket } from "../../src/streams/anchors/ticket.ts";
import { localOfHandle } from "../../src/streams/wire/handle.ts";
import { type Prng, prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { controlTexts } from "../vectors/streams.ts";
import { anchorHandlers, type StreamNode } from "./streams_kit.ts";
import { MuxNet } from "./streams_net.ts";

/** Errors that a sender or a reader may get, whatever the others do. */
const expectedCodes = new Set([
  "CANCELLED",
  "CLOSED",
  "LIMIT_REACHED",
  "PEER_DISCONNECTED",
  "QUEUE_FULL",
  "STREAM_DROPPED",
  "STREAM_FAILED",
  "STREAM_TAKEN",
  "STREAM_UNKNOWN",
  "TIMEOUT",
]);

/** How often what came out. */
const seen = new Map<string, number>();

function note(what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}

function expectOrdinary(error: unknown): void {
  const { code } = error as { code?: string };
  if (code === undefined || !expectedCodes.has(code)) throw error;
  note(code);
}

/** Time that passes within a turn uses up its share, and sends end in the next one. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** A sender, and how its items are named. */
interface Sending {
  readonly sender: StreamSender<unknown>;
  readonly name: number;
  readonly reading: Reading;
  /** Whether it came by a ticket, which may have been void: it learns that after its first items. */
  readonly ticketed: boolean;
  sent: number;
  /** Sends that resolved. */
  taken: number;
  /** How it ended, if it did. */
  ending: unknown;
}

/** An anchor, and what was read of it. */
class Reading {
  readonly anchor: Anchor<unknown, unknown>;
  readonly many: boolean;
  ticket: StreamTicket | null = null;
  pending = 0;
  ended = false;
  closings = 0;
  /** Whether something may have been lost: by a cancel, a loss, or silence. */
  troubled = false;
  /** The number of the next item, by the name of its sender. */
  readonly #next = new Map<number, number>();
  /** Senders whose end was read. */
  readonly #gone = new Set<number>();
  readonly #frames: AsyncIterableIterator<AnchorFrame<unknown>>;

  constructor(anchor: Anchor<unknown, unknown>, many: boolean) {
    this.anchor = anchor;
    this.many = many;
    this.#frames = anchor.frames();
    void anchor.closed.then(() => this.closings++);
  }

  async read(): Promise<void> {
    this.pending++;
    try {
      const { done, value } = await this.#frames.next();
      if (done === true) this.ended = true;
      else this.#check(value);
      if (done !== true) assert.equal(this.ended, false, "a frame after the end");
    } catch (error) {
      assert.equal(this.ended, false, "an error after the end");
      expectOrdinary(error);
      this.troubled = true;
    } finally {
      this.pending--;
    }
  }

  /** Items that were read of a sender. */
  readOf(name: number): number {
    return this.#next.get(name) ?? 0;
  }

  #check(frame: AnchorFrame<unknown>): void {
    note(frame.type);
    assert.equal(this.#gone.has(frame.sender), false, "a frame after the end of its sender");
    if (frame.type === "detached" || frame.type === "dropped") this.#gone.add(frame.sender);
    if (frame.type === "dropped") this.troubled = true;
    if (frame.type !== "item") return;
    const [name, number] = frame.item as [number, number];
    assert.equal(number, this.#next.get(name) ?? 0, "an item is lost, repeated or out of order");
    this.#next.set(name, number + 1);
  }
}

/** Instances that do at random what programs may do. */
class Crowd {
  readonly net = new MuxNet();
  readonly nodes: readonly StreamNode[];
  readonly readings: Reading[] = [];
  readonly sendings: Sending[] = [];
  readonly #random: Prng;
  readonly #failures: unknown[] = [];
  /** Promises that have not settled. */
  waiting = 0;
  #names = 0;

  constructor(random: Prng) {
    this.#random = random;
    this.nodes = [this.net.node(), this.net.node(), this.net.node({ ours: false })];
  }

  /** Waits for a promise in the background. */
  #track(promise: Promise<unknown>): void {
    this.waiting++;
    promise.catch((error) => {
      try {
        expectOrdinary(error);
      } catch (unexpected) {
        this.#failures.push(unexpected);
      }
    }).finally(() => this.waiting--);
  }

  /** Throws what went wrong in the background. */
  check(): void {
    for (const failure of this.#failures) throw failure;
  }

  #newAnchor(): void {
    const random = this.#random;
    const many = random.below(3) === 0;
    const unattachedTimeoutMs = random.pick([500, 5_000, Infinity]);
    const heartbeatMs = random.pick([300, 5_000]);
    const { streams } = random.pick(this.nodes);
    this.readings.push(
      many
        ? new Reading(
          streams.anchor({ senders: "many", maxSenders: 3, unattachedTimeoutMs, heartbeatMs }),
          true,
        )
        : new Reading(streams.anchor({ unattachedTimeoutMs, heartbeatMs }), false),
    );
  }

  async #attach(reading: Reading): Promise<void> {
    const random = this.#random;
    const { streams } = random.pick(this.nodes);
    const ticket = reading.ticket !== null && random.below(2) === 0 ? reading.ticket : undefined;
    const sender = await streams.attach(reading.anchor.handle, { ticket });
    const name = this.#names++;
    const ticketed = ticket !== undefined;
    const sending: Sending = { sender, name, reading, ticketed, sent: 0, taken: 0, ending: null };
    void sender.closed.then((ending) => sending.ending = ending);
    this.sendings.push(sending);
  }

  #send(sending: Sending): void {
    const item = [sending.name, sending.sent, "x".repeat(this.#random.below(200))];
    const sent = sending.sender.send(item);
    sending.sent++;
    this.#track(sent.then(() => void sending.taken++, (error) => {
      // One that was refused took no number.
      if ((error as { code?: string }).code === "QUEUE_FULL") sending.sent--;
      throw error;
    }));
  }

  #cancel(reading: Reading): void {
    reading.troubled = true;
    reading.anchor.cancel();
  }

  /** A control message with another instance's name, or a wrong one. */
  async #meddle(reading: Reading): Promise<void> {
    const random = this.#random;
    const { handle } = reading.anchor;
    reading.troubled = true;
    const about = `"handle":{"hi":${handle >> 64n},"lo":${localOfHandle(handle)}}`;
    const name = random.pick(["_anchor_detach", "_anchor_finalize", "_anchor_cancel", "_mpsc_anchor_cancel"]);
    const reader = this.nodes.find(({ worker }) => worker === handle >> 64n)!;
    await reader.receive(name, `{${about}}`, random.pick([...this.nodes, null]));
    await reader.receive("_anchor_renew", `[{${about},"session":${random.below(3) || null}}]`, null);
  }

  async step(): Promise<void> {
    const random = this.#random;
    // Mostly those that are in use.
    const reading = this.readings.length === 0 ? null : random.pick(this.readings.slice(-6));
    const sending = this.sendings.length === 0 ? null : random.pick(this.sendings.slice(-5));
    const action = random.below(100);
    if (action < 6 || reading === null) this.#newAnchor();
    else if (action < 16) this.#track(this.#attach(reading));
    else if (action < 19) {
      try {
        if (!reading.many) reading.ticket = reading.anchor.ticket({ timeoutMs: random.pick([400, 9_000]) });
      } catch (error) {
        expectOrdinary(error);
      }
    } else if (action < 45) {
      for (let i = random.below(8); i > 0 && reading.pending < 5; i--) this.#track(reading.read());
    } else if (action < 47) this.#cancel(reading);
    else if (action < 49) reading.anchor.stop();
    else if (action < 50) await this.#meddle(reading);
    else if (action < 58) {
      await this.net.pass(random.below(700));
    } else if (action < 59 && random.below(3) === 0) {
      this.net.lose(random.pick(this.nodes.slice(0, 2)), this.nodes[2]!);
    } else if (sending !== null) {
      const burst = random.pick([1, 1, 1, 3, 10, 30]);
      if (action < 88) { for (let i = 0; i < burst; i++) this.#send(sending); }
      else if (action < 90) this.#track(sending.sender.sendError("an error"));
      else if (action < 92) this.#track(sending.sender.finalize());
      else if (action < 95) this.#track(sending.sender.detach());
      else if (action < 96) sending.sender.close();
    }
    switch (random.below(8)) {
      case 0:
        await this.net.carry();
        break;
      case 1:
        this.net.setRoom(random.pick(this.nodes), random.pick(this.nodes), random.below(3) > 0);
        break;
      default:
        this.net.carryOne((items) => random.pick(items));
    }
    this.check();
  }

  /** Ends everything, in one of the ways, and checks that nothing is left. */
  async finish(): Promise<void> {
    for (const from of this.nodes) for (const to of this.nodes) this.net.setRoom(from, to, true);
    const way = this.#random.below(3);
    if (way === 0) { for (const { anchor } of this.readings) anchor.cancel(); }
    else if (way === 1) {
      await this.net.carry();
      for (const { sender } of this.sendings) sender.close();
      await this.net.carry();
      for (const { anchor } of this.readings) assert.equal(anchor.senders, 0, "an end that did not arrive");
      for (const reading of this.readings) {
        while (!reading.ended && reading.pending === 0) {
          this.#track(reading.read());
          await this.net.carry();
        }
      }
      await nextTurn();
      for (const { sender, name, reading, ticketed, taken, ending } of this.sendings) {
        if (ticketed || reading.troubled || (ending !== "finalized" && ending !== "detached")) continue;
        note("whole");
        assert.equal(reading.readOf(name), taken, `items of ${sender.handle} are lost`);
      }
      for (const reading of this.readings) this.#cancel(reading);
    } else for (const node of this.nodes) node.close();
    await this.net.carry();
    for (const { sender } of this.sendings) sender.close();
    await this.net.carry();
    this.check();
    await nextTurn();
    assert.equal(this.waiting, 0, "promises that never settle");
    for (const reading of this.readings) {
      // What had arrived before the end can be read, and then an error, once.
      for (let i = 0; i < 2_000 && !reading.ended; i++) await reading.read();
      assert.equal(reading.ended, true);
      await Promise.resolve();
      assert.equal(reading.closings, 1);
      assert.equal(reading.anchor.senders, 0);
    }
    for (const node of this.nodes) {
      const { anchors, senders } = node.table.stats();
      const { readers, writers, unreadBytes } = this.net.counts(node);
      assert.deepEqual({ anchors, senders, readers, writers, unreadBytes, held: node.held }, {
        anchors: 0,
        senders: 0,
        readers: 0,
        writers: 0,
        unreadBytes: 0,
        held: 0,
      });
      assert.equal(node.table.deadlines.size, 0, "deadlines of nothing");
    }
  }
}

test("whatever anchors and senders do, items keep their order, each end comes once, and nothing is left", async () => {
  const random = prng("random use of anchors");
  for (let round = longRun ? 4_000 : 120; round > 0; round--) {
    const crowd = new Crowd(random);
    for (let i = 0; i < 150; i++) await crowd.step();
    await crowd.finish();
  }
  // Otherwise the numbers of the actions are wrong.
  for (const what of ["whole", "item", "error", "detached", "dropped", ...expectedCodes]) {
    assert.ok((seen.get(what) ?? 0) > 3, `${what}: ${seen.get(what) ?? 0} times`);
  }
});

test("hostile control messages are answered in Velo's words, or refused as unreadable, and change nobody else's streams", async () => {
  const random = prng("hostile control messages of streams");
  const net = new MuxNet();
  const [reader, friend, enemy] = [net.node(), net.node(), net.node({ ours: false })];
  // Its number is one of those that messages name.
  const outgoing = await reader.streams.attach(friend.streams.anchor().handle);
  const kept = reader.streams.anchor({ unattachedTimeoutMs: Infinity });
  const many = reader.streams.anchor({ senders: "many", maxSenders: 1 });
  const senders = [
    await friend.streams.attach(kept.handle),
    await friend.streams.attach(many.handle),
  ] as const;
  // An enemy may attach to these, and end what is its own.
  let open: readonly Anchor<unknown, unknown>[] = [];
  const answers = new Map<string, number>();
  for (let left = longRun ? 500_000 : 10_000; left > 0; left--) {
    if (left % 100 === 0) {
      for (const anchor of open) anchor.cancel();
      open = [reader.streams.anchor(), reader.streams.anchor({ senders: "many", maxSenders: 4 })];
      await net.carry();
    }
    const name = random.pick(anchorHandlers);
    const text = hostileText(random, name, [
      kept.handle,
      many.handle,
      ...open.map(({ handle }) => handle),
      random.uint64(),
    ]);
    let answer: string;
    try {
      answer = await reader.receive(name, text, random.pick([enemy, enemy, null]));
    } catch (error) {
      assert.equal((error as { code?: string }).code, "PAYLOAD_INVALID", `${name} ${text}: ${String(error)}`);
      answer = "unreadable";
    }
    assert.match(answer, /^(unreadable|null|\{"Ok":\{.*\}\}|\{"Err":\{"reason":".*"\}\}|)$/);
    const kind = answer.slice(0, 5);
    answers.set(kind, (answers.get(kind) ?? 0) + 1);
    for (const anchor of open) assert.ok(anchor.senders <= 4);
  }
  for (const kind of ["unrea", "null", '{"Ok"', '{"Err', ""]) assert.ok((answers.get(kind) ?? 0) > 10, kind);
  assert.deepEqual([outgoing.cancelled.aborted, outgoing.stopping.aborted], [false, false]);
  for (const [anchor, sender] of [[kept, senders[0]], [many, senders[1]]] as const) {
    assert.deepEqual([sender.cancelled.aborted, sender.stopping.aborted], [false, false]);
    await sender.send("still here");
    await net.carry();
    let read = (await (anchor.frames() as AsyncIterator<AnchorFrame<unknown>>).next()).value as AnchorFrame<
      unknown
    >;
    while (read.type !== "item") read = (await many.next()).value as AnchorFrame<unknown>;
    assert.equal(read.item, "still here");
  }
  outgoing.close();
  for (const anchor of [kept, many, ...open]) anchor.cancel();
  await net.carry();
  assert.deepEqual([reader.table.stats().anchors, net.counts(reader).readers], [0, 0]);
});

/** A message that is often well formed, about one of the handles. */
function hostileText(random: Prng, name: string, handles: readonly bigint[]): string {
  const handle = random.pick(handles);
  const wrong = ["18446744073709551616", "-1", "1.5", "null"];
  const number = () =>
    random.below(8) === 0 ? random.pick(wrong) : random.pick(["0", "1", "2", "3", "18446744073709551615"]);
  const pair = `{"hi":${handle >> 64n},"lo":${handle & 0xffff_ffff_ffff_ffffn}}`;
  const keys = random.pick([
    '["messenger-mux-v2"]',
    '["messenger-mux-v2","tcp-stream"]',
    '["tcp-stream"]',
    "[]",
    "[1]",
  ]);
  const stream = `{"hi":${number()},"lo":${number()}}`;
  const about = `{"handle":${pair}}`;
  const attach =
    `{"handle":${pair},"session_id":${number()},"stream_cancel_handle":${stream},"supported_transport_keys":${keys}}`;
  const count = random.pick([0, 1, 1, 2, 2, 256, 257]);
  const texts: Readonly<Record<string, string>> = {
    _anchor_attach: attach,
    _mpsc_anchor_attach: attach,
    _anchor_abort_attach: `{"handle":${pair},"stream_cancel_handle":${stream}}`,
    _mpsc_anchor_detach: `{"handle":${pair},"sender_id":${number()}}`,
    _anchor_renew: `[${new Array(count).fill(`{"handle":${pair},"session":${number()}}`).join(",")}]`,
    _stream_cancel: `{"sender_stream_id":${number()}}`,
    _stream_stop: `{"sender_stream_id":${number()}}`,
  };
  const text = random.below(8) === 0 ? random.pick(Object.values(controlTexts)) : texts[name] ?? about;
  if (random.below(3) > 0) return text;
  const at = random.below(text.length + 1);
  return text.slice(0, at) + random.pick(["", "{", "]", ",", '"', "9", "\\u0000", "é"]) +
    text.slice(at + random.below(4));
}
