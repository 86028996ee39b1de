/** What is sent to an actor whose instance is gone fails as a call to that instance does: same time, code and text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actorContract,
  type ActorEnd,
  actorRef,
  ManagementClient,
  watchActor,
} from "../../src/actors/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";

const Line = actorContract("line", {
  tell: { note: z.undefined() },
  ask: { get: { input: z.undefined(), output: z.string() } },
  channel: { line: { fromOpener: z.string(), toOpener: z.string() } },
});

/** A client that knows an instance which has ended, and whatever it may send to an actor of that. */
async function withoutPeer(t: LeakCheck, connectTimeoutMs: number) {
  const gone = await t.messenger();
  const client = await t.messenger({ listen: false, connectTimeoutMs });
  const peer = client.registerPeer(gone.peerInfo());
  await gone.close();
  const ref = actorRef(client, Line, `line@${peer}`);
  const actors = new ManagementClient(client, peer);
  const sent = (wait: { timeoutMs?: number; signal?: AbortSignal }) => ({
    // First, since those that come later share its attempt to connect.
    open: ref.open("line", "hi", wait),
    unary: client.unary("x", { to: peer, ...wait }),
    amSync: client.amSync("x", { to: peer, ...wait }),
    tell: ref.tell("note", undefined, wait),
    ask: ref.ask("get", undefined, wait),
    command: actors.list(wait),
  });
  return { client, ref, sent };
}

/** The code, `ran` and text of each failure, with the name of the call left out. */
async function failures(sent: Record<string, Promise<unknown>>): Promise<Set<string>> {
  const all = Object.values(sent).map((one) =>
    one.then(
      () => "it succeeded",
      (error) =>
        error?.code === undefined
          ? String(error)
          : `${error.code} ${error.ran}: ${error.message.replace(/Call of \S+/, "Call of NAME")}`,
    )
  );
  return new Set(await within(Promise.all(all), 5_000, "the failures"));
}

test("a tell, an ask, an open and a command to an instance that is gone fail within connectTimeoutMs, as a call does", async () => {
  await using t = await leakCheck();
  const { sent } = await withoutPeer(t, 100);
  const seen = [...await failures(sent({}))];
  assert.equal(seen.length, 1, seen.join("\n"));
  assert.match(seen[0]!, /^PEER_UNREACHABLE no: Cannot reach \S.* within 100 ms \(connectTimeoutMs\)/);
});

test("a tell, an ask, an open and a command whose own time is shorter than connectTimeoutMs name it, as a call does", async () => {
  await using t = await leakCheck();
  const { sent } = await withoutPeer(t, 60_000);
  const seen = [...await failures(sent({ timeoutMs: 100 }))];
  assert.equal(seen.length, 1, seen.join("\n"));
  assert.match(seen[0]!, /^TIMEOUT no: Call of NAME on peer \S+ found no connection within 100 ms$/);
});

test("a signal ends an open that waits for its connection, as it ends a call", async () => {
  await using t = await leakCheck();
  const { sent } = await withoutPeer(t, 60_000);
  const gone = new AbortController();
  const seen = failures(sent({ signal: gone.signal }));
  gone.abort("enough");
  assert.deepEqual([...await seen], ["enough"]);
});

test("a watch of an actor whose instance is gone is told of the loss within connectTimeoutMs", async () => {
  await using t = await leakCheck();
  const { client, ref } = await withoutPeer(t, 100);
  const told = Promise.withResolvers<ActorEnd>();
  watchActor(client, ref, (end) => told.resolve(end));
  assert.equal((await within(told.promise, 5_000)).reason, "peerLost");
});
