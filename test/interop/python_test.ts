/** A node in Python that speaks the plain wire with pyzmq: both directions, and what no node would send. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, type Messenger, type PeerInfoJson, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { spawnCommand, type SpawnedProcess } from "../support/spawn.ts";
import { until } from "../support/until.ts";

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
      ["after thieves", "ok"],
      ["flooded", "ok"],
    ]);
    console.log(`# flooded with ${said[2]?.["sent"]} messages a second`);
    const { drops } = messenger.stats().transport;
    for (
      const reason of ["typeLength", "frameCount", "typeUnknown", "headerTruncated", "schemaVersion"] as const
    ) {
      assert.ok((drops[reason] ?? 0) > 0, `no drop is counted as ${reason}: ${JSON.stringify(drops)}`);
    }
  },
);
