/** Rings of asks that begin at once on several instances: one ask fails at once, and the others go on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorId,
  actorRef,
  type ActorStatus,
  type AskContext,
} from "../../src/actors/mod.ts";
import { EnvelopeWriter } from "../../src/actors/remote/envelope.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { encodeUtf8, NameCache } from "../../src/wire/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { type ActorNode, actorNode } from "./actors_kit.ts";

const text = z.string();
const Peer = actorContract("peer", {
  ask: {
    /** Waits for the gate of this name, then asks the address. */
    cross: { input: z.object({ gate: text, to: text }), output: text },
    /** The same by opening a channel. */
    open: { input: z.object({ gate: text, to: text }), output: text },
    /** Defers its answer, asks the address, and answers when the gate opens. */
    defer: { input: z.object({ gate: text, to: text }), output: text },
    end: { input: z.undefined(), output: text },
    hold: { input: text, output: text },
  },
  channel: { line: { fromOpener: text, toOpener: text } },
});

type Failure = { code: string; message: string; details: { ring: string[] } };

/** Peers whose handlers begin together, and what their asks failed with. */
class Scene {
  readonly failures: Failure[] = [];
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();

  gate(name: string): PromiseWithResolvers<void> {
    const known = this.#gates.get(name) ?? Promise.withResolvers<void>();
    this.#gates.set(name, known);
    return known;
  }

  readonly definition = actor(Peer, {
    init: () => null,
    ask: {
      cross: async (ctx, { gate, to }) => {
        await this.gate(gate).promise;
        return await this.#note(ctx.ask(ctx.ref(Peer, to), "end"));
      },
      open: async (ctx, { gate, to }) => {
        await this.gate(gate).promise;
        return await this.#note(ctx.open(ctx.ref(Peer, to), "line", "").then(() => "open"));
      },
      defer: (ctx: AskContext<null, string>, { gate, to }) => {
        const reply = ctx.defer();
        void ctx.ask(ctx.ref(Peer, to), "end").catch((error) => this.failures.push(error));
        void this.gate(gate).promise.then(() => reply.send("later"));
        return undefined as never;
      },
      end: () => "end",
      hold: async (_ctx, gate) => {
        await this.gate(gate).promise;
        return "held";
      },
    },
    channel: { line: { open: (_ctx, channel) => void channel.accept() } },
  });

  async #note(asked: Promise<string>): Promise<string> {
    return await asked.catch((error) => {
      this.failures.push(error);
      return "failed";
    });
  }
}

// Of a ring, the ask that waits for the smallest one fails.
const smallest = "00000000-0000-4000-8000-000000000000" as ActorId;
const largest = "ffffffff-ffff-4fff-bfff-ffffffffffff" as ActorId;

/** Nodes that know each other, each with a peer that has a name. */
async function ringOf(t: Awaited<ReturnType<typeof leakCheck>>, count: number) {
  const scene = new Scene();
  const nodes: ActorNode[] = [];
  const ids: string[] = [];
  const named: string[] = [];
  for (let at = 0; at < count; at++) {
    const node = await actorNode(t);
    for (const { messenger } of nodes) await node.messenger.connect(messenger.endpoint);
    nodes.push(node);
    ids.push((await node.system.spawn(scene.definition, { name: "peer" })).address);
    named.push(`peer@${node.messenger.instanceId}`);
  }
  const ask = (at: number, how: "cross" | "open", gate: string, to: string) =>
    nodes[at]!.system.ref(Peer, ids[at]!).ask(how, { gate, to }, { timeoutMs: 10_000 });
  const status = (at: number): ActorStatus => nodes[at]!.system.lookup("peer")!;
  const probes = () => nodes.reduce((sum, { system }) => sum + system.stats().remote.probes, 0);
  return { scene, nodes, ids, named, ask, status, probes };
}

/**
 * Waits until nodes have searched for rings: until a ring that begins now is found by each of them. All searches that
 * were due have run then, and what they sent has arrived.
 */
async function searched(nodes: readonly ActorNode[]): Promise<void> {
  for (const [at, one] of nodes.entries()) {
    const other = nodes[(at + 1) % nodes.length]!;
    const scene = new Scene();
    const spawned = [
      await one.system.spawn(scene.definition, {
        id: `00000000-0000-4000-8000-00000000000${at + 1}` as ActorId,
      }),
      await other.system.spawn(scene.definition, {
        id: `ffffffff-ffff-4fff-bfff-fffffffffff${at}` as ActorId,
      }),
    ] as const;
    const [small, large] = spawned;
    const asked = [
      small.ask("cross", { gate: "gate", to: large.address }),
      large.ask("cross", { gate: "gate", to: small.address }),
    ];
    await until(() => one.system.lookup(small)!.busy && other.system.lookup(large)!.busy);
    scene.gate("gate").resolve();
    await within(Promise.all(asked), 3_000, "the answers of a ring");
    assert.equal(scene.failures.length, 1);
    one.system.terminate(small);
    other.system.terminate(large);
  }
}

for (
  const [size, how, by] of [[2, "cross", "id"], [2, "cross", "name"], [3, "cross", "id"], [
    2,
    "open",
    "id",
  ]] as const
) {
  test(`of ${size} handlers of as many instances that ${how} to each other at once by ${by}, one fails and names the ring`, async () => {
    await using t = await leakCheck();
    const { scene, ids, named, ask, status } = await ringOf(t, size);
    const to = by === "id" ? ids : named;
    for (let round = 0; round < 3; round++) {
      const asked = ids.map((_, at) => ask(at, how, `round ${round}`, to[(at + 1) % size]!));
      await until(() => ids.every((_, at) => status(at).busy));
      scene.gate(`round ${round}`).resolve();
      const answers = await within(Promise.all(asked), 3_000, "the answers");
      const other = how === "open" ? "open" : "end";
      assert.deepEqual(answers.toSorted(), [...Array<string>(size - 1).fill(other), "failed"].toSorted());
      const [failure, ...more] = scene.failures.splice(0);
      assert.deepEqual([failure!.code, more], ["ACTOR_ASK_CYCLE", []]);
      const { ring } = failure!.details;
      assert.equal(ring[0], ring.at(-1));
      assert.deepEqual(ring.slice(1).toSorted(), ids.toSorted());
      assert.ok(failure!.message.includes(ring.join(" → ")), failure!.message);
    }
  });
}

test("a ring that closes long after its first ask began fails one ask, whichever of the actors it was", async () => {
  await using t = await leakCheck();
  const { scene, nodes, ids, ask, status } = await ringOf(t, 2);
  for (const first of [0, 1]) {
    const last = 1 - first;
    const begun = ask(first, "cross", `first ${first}`, ids[last]!);
    const ending = ask(last, "cross", `last ${first}`, ids[first]!);
    await until(() => status(0).busy && status(1).busy);
    scene.gate(`first ${first}`).resolve();
    await until(() => status(last).queued === 1);
    await searched(nodes);
    assert.deepEqual(scene.failures, []);
    scene.gate(`last ${first}`).resolve();
    assert.deepEqual((await within(Promise.all([begun, ending]), 3_000)).toSorted(), ["end", "failed"]);
    assert.equal(scene.failures.splice(0).length, 1);
  }
});

test("a ring over two instances of which one has two actors in it is found", async () => {
  await using t = await leakCheck();
  const { scene, nodes, ids, ask, status } = await ringOf(t, 2);
  const second = await nodes[0]!.system.spawn(scene.definition);
  const asked = [
    ask(0, "cross", "gate", second.address),
    second.ask("cross", { gate: "gate", to: ids[1]! }),
    ask(1, "cross", "gate", ids[0]!),
  ];
  await until(() => status(0).busy && status(1).busy && nodes[0]!.system.lookup(second)!.busy);
  scene.gate("gate").resolve();
  assert.deepEqual((await within(Promise.all(asked), 3_000)).toSorted(), ["end", "end", "failed"]);
  assert.equal(scene.failures[0]!.details.ring.length, 4);
});

test("a ring through the member of a pool is found", async () => {
  await using t = await leakCheck();
  const { scene, nodes, ids, ask, status } = await ringOf(t, 2);
  const pool = await nodes[1]!.system.pool(scene.definition, { size: 1, name: "pool" });
  const asked = [
    ask(0, "cross", "gate", `pool@${nodes[1]!.messenger.instanceId}`),
    pool.ask("cross", { gate: "gate", to: ids[0]! }),
  ];
  await until(() => status(0).busy && nodes[1]!.system.lookup(pool.members()[0]!)!.busy);
  scene.gate("gate").resolve();
  assert.deepEqual((await within(Promise.all(asked), 3_000)).toSorted(), ["end", "failed"]);
});

test("an ask whose answer is deferred is no part of a ring, and goes on", async () => {
  await using t = await leakCheck();
  const { scene, nodes, ids, status } = await ringOf(t, 2);
  const Opener = actorContract("opener", {
    ask: { go: { input: text, output: text }, end: { input: z.undefined(), output: text } },
  });
  // It waits for a deferred answer, while the other actor's next handler waits for this one.
  const opener = await nodes[0]!.system.spawn(
    actor(Opener, {
      init: () => null,
      ask: {
        go: (ctx, to) => ctx.ask(ctx.ref(Peer, to), "defer", { gate: "reply", to: ctx.self.address }),
        end: () => "end",
      },
    }),
    { id: smallest },
  );
  const going = opener.ask("go", ids[1]!, { timeoutMs: 10_000 });
  await until(() => status(1).deferred === 1 && nodes[0]!.system.lookup(opener)!.queued === 1);
  const crossing = nodes[1]!.system.ref(Peer, ids[1]!).ask("cross", { gate: "cross", to: opener.address });
  await until(() => status(1).busy);
  scene.gate("cross").resolve();
  await until(() => nodes[0]!.system.lookup(opener)!.queued === 2);
  await searched(nodes);
  assert.deepEqual(scene.failures, []);
  scene.gate("reply").resolve();
  assert.deepEqual(await within(Promise.all([going, crossing]), 3_000), ["later", "end"]);
  assert.deepEqual(scene.failures, []);
});

test("asks that wait without a ring send a probe now and then, and others none", async () => {
  await using t = await leakCheck();
  const { scene, nodes, ids, ask, status, probes } = await ringOf(t, 3);
  scene.gate("open").resolve();
  for (let i = 0; i < 50; i++) assert.equal(await ask(0, "cross", "open", ids[1]!), "end");
  assert.equal(probes(), 0);
  // The second actor waits for the third one, and twenty handlers of the first node wait for the second one.
  const held = nodes[2]!.system.ref(Peer, ids[2]!).ask("hold", "held");
  const waits = ask(1, "cross", "open", ids[2]!);
  await until(() => status(2).queued === 1);
  const askers = await Promise.all(
    Array.from({ length: 20 }, () => nodes[0]!.system.spawn(scene.definition)),
  );
  const asked = askers.map((one) => one.ask("cross", { gate: "open", to: ids[1]! }));
  await until(() => status(1).queued === 20 && probes() > 0);
  // The other nodes have sent none, until the ring of this search.
  const ofSecond = () => nodes[1]!.system.stats().remote.probes;
  assert.equal(probes(), ofSecond());
  await searched([nodes[0]!, nodes[2]!]);
  assert.ok(ofSecond() <= 3, `${ofSecond()} probes`);
  scene.gate("held").resolve();
  assert.deepEqual([await held, await waits, ...await Promise.all(asked)], [
    "held",
    ...Array<string>(21).fill("end"),
  ]);
  assert.deepEqual(scene.failures, []);
});

test("an instance that claims a ring of others makes no ask of theirs fail", async () => {
  await using t = await leakCheck();
  const { scene, nodes, ids, ask, status } = await ringOf(t, 2);
  const stranger = await t.messenger({ listen: false });
  for (const { messenger } of nodes) await stranger.connect(messenger.endpoint);
  const [one, two] = nodes.map(({ messenger }) => messenger.instanceId);
  const held = nodes[1]!.system.ref(Peer, ids[1]!).ask("hold", "held");
  const first = ask(0, "cross", "open", ids[1]!);
  scene.gate("open").resolve();
  // An ask of the second instance waits in the mailbox of the first one's actor, whose handler waits itself.
  const other = await nodes[1]!.system.spawn(scene.definition, { id: largest });
  const second = other.ask("cross", { gate: "open", to: ids[0]! });
  await until(() => status(1).queued === 1 && status(0).queued === 1);
  const writer = new EnvelopeWriter(new NameCache());
  const claim = (chain: string[], name = "probe") => {
    const bytes = writer.write(
      "peer",
      name,
      "bytes",
      { sender: null, headers: {}, chain },
      new Uint8Array(0),
    );
    assert.ok(portOf(stranger)!.notify(encodeUtf8("_actor_probe"), one!, bytes));
  };
  for (let turn = 0; turn < 5; turn++) {
    for (let last = 0; last < 5; last++) {
      claim([`${ids[0]}#${turn}`, `${other.address}#${last}`]);
      claim([`${ids[0]}#${turn}`, `${other.target}@${stranger.instanceId}#${last}`]);
    }
  }
  claim([]);
  claim([], "begin");
  claim([], "whatever");
  // A later message of the stranger comes behind them, but waits in the mailbox.
  await assert.rejects(actorRef(stranger, `nobody@${one}`).ask("x", new Uint8Array(0)), {
    code: "ACTOR_NOT_FOUND",
  });
  await searched(nodes);
  assert.deepEqual(scene.failures, []);
  assert.ok(two);
  scene.gate("held").resolve();
  assert.deepEqual(await within(Promise.all([held, first, second]), 3_000), ["held", "end", "end"]);
});
