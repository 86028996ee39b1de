/** A node in Python that speaks the plain wire with pyzmq: both directions, and what no node would send. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "../support/testing.ts";
import { z } from "zod";
import { amHandler, contract, type Messenger, type PeerInfoJson, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { spawnCommand, type SpawnedProcess } from "../support/spawn.ts";
import { until } from "../support/until.ts";
import { assertGrownAtMost, assertSoon, latencies, statsOf, victim } from "../support/victim.ts";
import { hasVitals, vitals } from "../support/vitals.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const script = "test/interop/python/plain_node.py";

/** A Python that has what the script imports, or null. */
function findPython(): string | null {
  for (const program of ["/usr/bin/python3", "python3"]) {
    try {
      execFileSync(program, ["-c", "import zmq, xxhash"], { stdio: "ignore" });
      return program;
    } catch {
      // the next one
    }
  }
  return null;
}

const python = findPython();
const skip = python === null
  ? "no python3 with pyzmq and xxhash (Debian: python3-zmq python3-xxhash)"
  : false;

type Line = Readonly<Record<string, unknown>>;

function run(t: LeakCheck, ...args: string[]): SpawnedProcess {
  return t.use(spawnCommand([python!, "-u", script, ...args]));
}

/** Everything that a program said until it ended well. */
async function saidBy(child: SpawnedProcess): Promise<Line[]> {
  const { code } = await child.exit;
  assert.equal(code, 0, child.errorText);
  return child.outputText.trim().split("\n").map((line) => JSON.parse(line) as Line);
}

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** An instance with a handler of every kind. */
async function serving(t: LeakCheck): Promise<Messenger> {
  const messenger = await t.messenger();
  let notes = 0;
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  messenger.registerHandler(unaryHandler("headers", ({ headers }) => encode(JSON.stringify(headers))));
  messenger.registerHandler(unaryHandler("notes", () => encode(String(notes))));
  messenger.registerHandler(amHandler("note", () => void notes++));
  messenger.registerHandler(unaryHandler("fail", () => {
    throw new Error("it broke, naïvely");
  }));
  messenger.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  return messenger;
}

test("a Python node calls us in every way, and gets Velo's answers and texts", { skip }, async () => {
  await using t = await leakCheck();
  const messenger = await serving(t);
  const [hello, ...said] = await saidBy(run(t, "call", messenger.endpoint));
  assert.ok(
    ["_hello", "_list_handlers", "add", "echo", "fail", "note"].every((name) =>
      (hello!["handlers"] as string[]).includes(name)
    ),
  );
  const of = (what: string): Line => said.find((line) => line["what"] === what) ?? assert.fail(`no ${what}`);
  assert.deepEqual(of("unary"), { what: "unary", outcome: "ok", text: "from Python", size: 11 });
  assert.deepEqual(of("empty"), { what: "empty", outcome: "ok", text: "", size: 0 });
  assert.deepEqual(of("large"), { what: "large", outcome: "ok", same: true });
  assert.deepEqual(of("sync"), { what: "sync", outcome: "ack", text: "", size: 0 });
  assert.equal(of("refused")["outcome"], "nack");
  assert.match(String(of("refused")["text"]), /it broke, naïvely/);
  assert.equal(of("failed")["outcome"], "error");
  assert.match(String(of("failed")["text"]), /it broke, naïvely/);
  for (const what of ["unknown", "unknown sync"]) {
    assert.deepEqual([of(what)["outcome"], of(what)["text"]], ["nack", "Handler 'nobody' not found"]);
  }
  assert.deepEqual([of("typed")["outcome"], JSON.parse(String(of("typed")["text"]))], ["ok", { sum: 7 }]);
  for (const what of ["typed wrong", "no JSON"]) {
    assert.equal(of(what)["outcome"], "error");
    assert.match(String(of(what)["text"]), /^Failed to deserialize input/);
  }
  assert.deepEqual(JSON.parse(String(of("headers")["text"])), { tenant: "blue", näme: "wért" });
  assert.ok((JSON.parse(String(of("list")["text"])) as { handlers: string[] }).handlers.includes("echo"));
  assert.deepEqual(of("many"), { what: "many", same: true });
  assert.equal(of("notes")["text"], "1001");
  const [peer] = messenger.peers();
  assert.equal(peer?.zeromesh, false);
});

test("we call a Python node in every way: by its endpoint, and by its peer info", { skip }, async () => {
  await using t = await leakCheck();
  const node = run(t, "serve");
  const ready = JSON.parse(await node.waitForLine("ready")) as { ready: string; peerInfo: PeerInfoJson };
  const first = await t.messenger();
  const second = await t.messenger();
  const text = (of: Uint8Array): string => new TextDecoder().decode(of);
  for (
    const [messenger, to] of [
      [first, await first.connect(ready.ready)],
      [second, second.registerPeer(ready.peerInfo)],
    ] as const
  ) {
    assert.equal(to, ready.peerInfo.instance_id);
    const rawPayload = encode("hello Python");
    assert.equal(text(await messenger.unary("py.echo", { to, rawPayload })), "hello Python");
    assert.equal((await messenger.unary("py.echo", { to })).length, 0);
    const large = crypto.getRandomValues(new Uint8Array(60_000));
    assert.deepEqual(await messenger.unary("py.echo", { to, rawPayload: large }), large);
    await messenger.amSync("py.note", { to });
    await assert.rejects(messenger.amSync("py.fail", { to }), { code: "REMOTE_ERROR", message: /no thanks/ });
    await assert.rejects(messenger.unary("py.fail", { to }), {
      code: "REMOTE_ERROR",
      message: /it broke, naïvely/,
    });
    await assert.rejects(messenger.unary("py.nobody", { to }), { code: "HANDLER_NOT_FOUND" });
    const headers = await messenger.unary("py.headers", { to, headers: { tenant: "blue" } });
    assert.deepEqual(headers, Uint8Array.of(0x81, 0xa6, ...encode("tenant"), 0xa4, ...encode("blue")));
    const calls = Array.from(
      { length: 500 },
      (_, i) => messenger.unary("py.echo", { to, rawPayload: encode(String(i)) }),
    );
    assert.deepEqual((await Promise.all(calls)).map(text), calls.map((_, i) => String(i)));
    for (let i = 0; i < 100; i++) await messenger.amSend("py.note", { to });
  }
  await until(async () => {
    node.write("noted\n");
    return (await node.waitForLine(/"noted": 202/, 300).catch(() => null)) !== null;
  }, { timeoutMs: 10_000 });
  // Towards a plain node nothing of ours is on.
  for (const messenger of [first, second]) assert.equal(messenger.peers()[0]?.zeromesh, false);
});

test(
  "what a Python program sends to do harm harms nobody: it, and others, are answered after each",
  { skip },
  async () => {
    await using t = await leakCheck();
    const messenger = await serving(t);
    const said = await saidBy(run(t, "harm", messenger.endpoint));
    assert.deepEqual(said.map((line) => [line["what"], line["outcome"]]), [
      ["still here", "ok"],
      ["after twins", "ok"],
    ]);
    const { drops } = messenger.stats().transport;
    for (
      const reason of ["typeLength", "frameCount", "typeUnknown", "headerTruncated", "schemaVersion"] as const
    ) {
      assert.ok((drops[reason] ?? 0) > 0, `no drop is counted as ${reason}: ${JSON.stringify(drops)}`);
    }
  },
);

const halfMessages = 200;

test(
  `${halfMessages} halves of messages are no messages, whether their connections end or not`,
  { skip },
  async () => {
    await using t = await leakCheck();
    const one = await victim(t);
    await latencies(one, () => true);
    const before = hasVitals ? await vitals(one.child.pid) : null;
    const attacker = run(t, "halves", one.endpoint, String(halfMessages));
    let sent = false;
    const line = attacker.waitForLine("halves", 20_000).finally(() => sent = true);
    const took = await latencies(one, () => sent);
    assert.deepEqual(JSON.parse(await line), { what: "halves", sent: halfMessages, open: 64 });
    assertSoon(`${halfMessages} halves of messages`, took);
    const noMessages = async (): Promise<void> => {
      const { handlers, transport } = await statsOf(one);
      assert.equal(handlers.byHandler["note"]?.issued, 0);
      assert.deepEqual(transport.drops, {});
    };
    await noMessages();
    if (before !== null) await assertGrownAtMost(one, before, 32);
    attacker.write("end\n");
    await saidBy(attacker);
    await latencies(one, () => true);
    await noMessages();
    if (before === null) return;
    await until(async () => (await vitals(one.child.pid)).descriptors <= before.descriptors + 2, {
      intervalMs: 100,
      message: "the descriptors of the ended connections to go",
    });
  },
);

test("a third node that guesses the id of a call to a Python node cannot answer it", { skip }, async () => {
  await using t = await leakCheck();
  const ours = await t.messenger();
  const node = run(t, "serve");
  const ready = JSON.parse(await node.waitForLine("ready")) as { ready: string; peerInfo: PeerInfoJson };
  const to = await ours.connect(ready.ready);
  const held = ["first", "second", "third"].map((name) =>
    ours.unary("py.hold", { to, rawPayload: encode(name) }).then((answer) => new TextDecoder().decode(answer))
  );
  await node.waitForLine(`"held": ${held.length}`);
  const thief = run(t, "thief", ours.endpoint, String(ours.workerId), ready.peerInfo.instance_id);
  const { each } = JSON.parse(await thief.waitForLine("guessed")) as { each: number };
  assert.equal(each, 64 * 8 * 3);
  // The one with a name of its own and the one without; who takes the node's own name is not let in beside it.
  await until(() => ours.stats().transport.drops.replyUnknown === 2 * each, {
    message: () => `${2 * each} answers to be dropped: ${JSON.stringify(ours.stats().transport.drops)}`,
  });
  assert.equal(ours.stats().calls.pending, held.length);
  node.write("release\n");
  assert.deepEqual(await Promise.all(held), ["first", "second", "third"]);
  assert.deepEqual(ours.stats().transport.drops, { replyUnknown: 2 * each });
  thief.write("end\n");
});

test(
  "another client is answered soon while a Python program floods, and memory stays bounded",
  { skip },
  async () => {
    await using t = await leakCheck();
    const one = await victim(t);
    await latencies(one, () => true);
    const before = hasVitals ? await vitals(one.child.pid) : null;
    const attacker = run(t, "flood", one.endpoint);
    await attacker.waitForLine("flooding");
    const start = performance.now();
    const took = await latencies(one, () => performance.now() - start > 1_000);
    const during = (await statsOf(one)).handlers.byHandler["note"]!.started;
    if (before !== null) await assertGrownAtMost(one, before, 96);
    attacker.write("end\n");
    const [, ended] = await saidBy(attacker);
    assertSoon(`a flood of which ${during} of ${ended?.["sent"]} messages had run`, took);
    assert.ok(took.length > 20, `only ${took.length} calls were answered in a second`);
    assert.ok(during > 1_000, `only ${during} messages of the flood had run`);
  },
);
