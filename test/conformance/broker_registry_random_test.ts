import assert from "node:assert/strict";
import type { BrokerNotice, ProducerRegistration, RegistryClient } from "../../src/broker/mod.ts";
import { client, consuming, ownedRegistry, producing } from "../support/broker_registry.ts";
import { type Prng, prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { test } from "../support/testing.ts";

const rounds = longRun ? 300 : 30;
const steps = 400;
const hashes = [null, "1".repeat(64), "2".repeat(64)] as const;

/** A channel as it should be. */
interface Channel {
  producer: { id: number; identity: string; lives: boolean };
  state: "pending" | "ready" | "closing";
  epoch: number;
  hash: string | null;
  pattern: string;
  readonly consumers: Map<number, string>;
}

/** What the next call should do: an error's code, or the change. */
type Expected = string | (() => void);

class Model {
  readonly channels = new Map<string, Channel>();
  readonly epochs = new Map<string, number>();
  readonly graces = new Map<number, string>();
  #last = 0;
  #closings = 0;

  register(by: RegistryClient, { channel: name, schema: { hash }, pattern }: ProducerRegistration): Expected {
    const now = this.channels.get(name);
    const make = (epoch: number, consumers: Map<number, string>) => {
      const producer = { id: ++this.#last, identity: by.identity, lives: true };
      this.channels.set(name, { producer, state: "pending", epoch, hash, pattern, consumers });
      this.epochs.set(name, epoch);
    };
    if (now === undefined || now.state === "closing") {
      return () => make((this.epochs.get(name) ?? 0) + 1, new Map());
    }
    if (hash !== null && now.hash !== null && hash !== now.hash) return "SCHEMA_MISMATCH";
    const own = now.producer.identity === by.identity;
    if ((!own || now.consumers.size > 0) && pattern !== now.pattern) return "PATTERN_MISMATCH";
    if (!own) return "CHANNEL_OWNED";
    return () => {
      make(now.epoch + 1, now.consumers);
      this.channels.get(name)!.hash ??= now.hash;
    };
  }

  consume(by: RegistryClient, name: string, hash: string | null): Expected {
    const now = this.channels.get(name);
    if (now === undefined) return "CHANNEL_NOT_FOUND";
    if (now.state === "closing") return "CHANNEL_CLOSED";
    if (hash !== null && now.hash !== null && hash !== now.hash) return "SCHEMA_MISMATCH";
    if (now.state === "pending") return "CHANNEL_NOT_READY";
    return () => void now.consumers.set(++this.#last, by.identity);
  }

  deregister(by: RegistryClient, name: string, id: number): Expected {
    const now = this.channels.get(name);
    if (now === undefined) return "CHANNEL_NOT_FOUND";
    if (now.producer.identity !== by.identity) return "NOT_REGISTERED";
    if (now.producer.id !== id) {
      return id < now.producer.id && !this.live().has(id) ? "STALE_INSTANCE" : "NOT_REGISTERED";
    }
    if (!now.producer.lives) return "CHANNEL_CLOSED";
    return () => this.#producerGone(name, now);
  }

  leave(by: RegistryClient, name: string, id: number): Expected {
    const now = this.channels.get(name);
    if (now === undefined) return "CHANNEL_NOT_FOUND";
    if (now.consumers.get(id) !== by.identity) return "NOT_REGISTERED";
    return () => this.#consumerGone(name, now, id);
  }

  close(by: RegistryClient, name: string, ofOthers: boolean): Expected {
    const now = this.channels.get(name);
    if (now === undefined) return "CHANNEL_NOT_FOUND";
    if (!ofOthers && now.producer.identity !== by.identity) return "NOT_REGISTERED";
    if (now.state === "closing") return "CHANNEL_CLOSED";
    return () =>
      now.producer.identity === by.identity ? this.#producerGone(name, now) : this.#close(name, now);
  }

  heartbeat(by: RegistryClient, ids: readonly number[]): number[] {
    const live = this.live();
    return ids.filter((id) => {
      const channel = live.get(id);
      if (channel === undefined || this.ownerOf(id) !== by.identity) return true;
      if (channel.producer.id === id && channel.state === "pending") channel.state = "ready";
      return false;
    });
  }

  expire(id: number): void {
    for (const [name, channel] of this.channels) {
      if (channel.producer.lives && channel.producer.id === id) return this.#producerGone(name, channel);
      if (channel.consumers.has(id)) return this.#consumerGone(name, channel, id);
    }
  }

  graceOver(closing: number): void {
    const name = this.graces.get(closing);
    this.graces.delete(closing);
    const channel = name === undefined ? undefined : this.channels.get(name);
    if (channel?.state === "closing" && this.#closingOf.get(channel) === closing) this.channels.delete(name!);
  }

  /** Presences with their channels. */
  live(): Map<number, Channel> {
    const live = new Map<number, Channel>();
    for (const channel of this.channels.values()) {
      if (channel.producer.lives) live.set(channel.producer.id, channel);
      for (const id of channel.consumers.keys()) live.set(id, channel);
    }
    return live;
  }

  ownerOf(id: number): string | undefined {
    const channel = this.live().get(id);
    return channel?.consumers.get(id) ?? channel?.producer.identity;
  }

  readonly #closingOf = new Map<Channel, number>();

  #producerGone(name: string, channel: Channel): void {
    channel.producer.lives = false;
    if (channel.state === "closing") this.#end(name, channel);
    else this.#close(name, channel);
  }

  #consumerGone(name: string, channel: Channel, id: number): void {
    channel.consumers.delete(id);
    if (channel.state === "closing") this.#end(name, channel);
  }

  #close(name: string, channel: Channel): void {
    channel.state = "closing";
    this.#closingOf.set(channel, ++this.#closings);
    if (!this.#end(name, channel)) this.graces.set(this.#closings, name);
  }

  #end(name: string, channel: Channel): boolean {
    if (channel.producer.lives || channel.consumers.size > 0) return false;
    return this.channels.delete(name);
  }
}

test("whatever clients do in whatever order, the registry is as a simple model says", () => {
  const random = prng("registry");
  for (let round = 0; round < rounds; round++) run(random);
});

function run(random: Prng): void {
  const model = new Model();
  const clients = ["a", "b", "c"].map(client);
  const channels = ["x", "lab/y", "lab.z"];
  const owned = ownedRegistry({}, follows);
  const { registry, leases, graces } = owned;

  for (let step = 0; step < steps; step++) {
    const by = random.pick(clients);
    const channel = random.pick(channels);
    const id = 1 + random.below(step + 2);
    const hash = random.pick(hashes);
    const before = snapshot();
    let expected: Expected = () => {};
    let call = () => {};
    switch (random.below(8)) {
      case 0:
      case 1: {
        const pattern = random.below(4) === 0 ? "pubsub" : "pipeline";
        const given = producing(channel, by, { pattern, schema: { hash, text: null, version: "1" } });
        expected = model.register(by, given);
        call = () => {
          const { presence, epoch } = registry.registerProducer(by, given);
          assert.deepEqual([presence, epoch], [
            model.channels.get(channel)!.producer.id,
            model.channels.get(channel)!.epoch,
          ]);
        };
        break;
      }
      case 2:
        expected = model.consume(by, channel, hash);
        call = () =>
          void registry.registerConsumer(by, consuming(channel, { schema: { hash, version: "1" } }));
        break;
      case 3: {
        const ids = Array.from({ length: random.below(20) }, () => 1 + random.below(step + 2));
        const unknown = model.heartbeat(by, ids);
        call = () => assert.deepEqual(registry.heartbeat(by, ids), unknown);
        break;
      }
      case 4: {
        const producer = random.below(3) === 0 ? id : model.channels.get(channel)?.producer.id ?? id;
        expected = model.deregister(by, channel, producer);
        call = () => registry.deregisterProducer(by, channel, producer);
        break;
      }
      case 5: {
        const consumers = [...model.channels.get(channel)?.consumers.keys() ?? [], id];
        const consumer = random.pick(consumers);
        expected = model.leave(by, channel, consumer);
        call = () => registry.deregisterConsumer(by, channel, consumer);
        break;
      }
      case 6: {
        if (random.below(4) > 0) continue;
        const ofOthers = random.below(2) === 0;
        expected = model.close(by, channel, ofOthers);
        call = () => registry.closeChannel(by, channel, { ofOthers });
        break;
      }
      default: {
        const closing = random.pick([0, ...model.graces.keys()]);
        const name = model.graces.get(closing) ?? channel;
        expected = () => {
          model.expire(id);
          model.graceOver(closing);
        };
        call = () => {
          registry.expire(id);
          registry.graceOver(name, closing);
        };
      }
    }
    if (typeof expected === "string") {
      assert.throws(call, { code: expected });
      assert.deepEqual(snapshot(), before);
      assert.deepEqual(owned.told().filter(([, { type }]) => type !== "channelError"), []);
    } else {
      expected();
      call();
      owned.told();
    }
    compare();
  }

  for (const id of [...leases]) registry.expire(id);
  for (const [channel, closing] of graces) registry.graceOver(channel, closing);
  const { channels: left, producers, consumers } = registry.stats();
  assert.deepEqual([left, producers, consumers], [{ pending: 0, ready: 0, closing: 0 }, 0, 0]);
  assert.deepEqual([leases.size, registry.list().channels, registry.metrics()], [0, [], []]);
  for (const { identity } of clients) assert.deepEqual(registry.presenceOf(identity), []);

  function snapshot(): unknown {
    const { refusals: _refusals, notices: _notices, ...stats } = registry.stats();
    return { list: registry.list().channels, stats, leases: [...leases], graces: graces.length };
  }

  function compare(): void {
    const seen = registry.list().channels.map((one) => ({
      name: one.name,
      state: one.state,
      epoch: one.producer.epoch,
      identity: one.producer.identity,
      pattern: one.pattern,
      hash: one.schema.hash,
      consumers: one.consumers,
    }));
    const should = [...model.channels].sort(([x], [y]) => x < y ? -1 : 1).map(([name, one]) => ({
      name,
      state: one.state,
      epoch: one.epoch,
      identity: one.producer.identity,
      pattern: one.pattern,
      hash: one.hash,
      consumers: one.consumers.size,
    }));
    assert.deepEqual(seen, should);
    const live = model.live();
    assert.deepEqual([...leases].sort((x, y) => x - y), [...live.keys()].sort((x, y) => x - y));
    const { producers, consumers } = registry.stats();
    assert.deepEqual(producers + consumers, live.size);
    const held = clients.flatMap(({ identity }) => registry.presenceOf(identity));
    assert.equal(held.length, live.size);
    const produced = held.filter(({ role }) => role === "producer").map(({ channel }) => channel);
    assert.equal(new Set(produced).size, produced.length, "two producers of one channel");
    const waiting = graces.filter(([channel, closing]) => model.graces.get(closing) === channel);
    assert.equal(waiting.length, model.graces.size);
  }

  /** Checks that a notice tells what has happened. */
  function follows(to: string, notice: BrokerNotice): void {
    const now = registry.find(notice.type === "dropped" ? "" : notice.channel);
    switch (notice.type) {
      case "consumerJoined":
        assert.equal(now?.consumer(notice.consumer.presence)?.client.identity, notice.consumer.identity);
        return;
      case "consumerLeft":
      case "consumerDied":
        assert.equal(registry.findPresence(notice.consumer.presence), undefined);
        return;
      case "channelClosing":
        assert.ok(now === undefined || (now.state === "closing" && now.epoch === notice.epoch));
        // It is gone already if nobody is left.
        assert.ok(
          now === undefined || now.producer !== null ||
            registry.list().channels.some(({ name, consumers }) => name === notice.channel && consumers > 0),
        );
        return;
      case "forcedShutdown":
        assert.ok(now === undefined || now.epoch > notice.epoch);
        return;
      case "producerChanged":
        assert.equal(now?.epoch, notice.epoch);
        return;
      case "channelError":
        assert.equal(now?.producer?.client.instance, to);
        return;
      default:
        assert.fail(`${to} was told of ${notice.type}`);
    }
  }
}
