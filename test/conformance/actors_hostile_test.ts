/** Actors and messages that no instance of ours sends: they cost their sender an error, and nobody else a message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { actor, actorRef } from "../../src/actors/mod.ts";
import { instanceIdToBytes, newInstanceId } from "../../src/core/mod.ts";
import { EnvelopeWriter, maxChainLength } from "../../src/actors/remote/envelope.ts";
import { askHandler, envelopeHeader, tellHandler } from "../../src/actors/remote/messages.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { NameCache, ResponseKind } from "../../src/wire/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { until } from "../support/until.ts";
import { Counter, counter, served } from "./actors_kit.ts";
import { fails } from "./messenger_kit.ts";
import { RawDealer, request } from "./messenger_raw_peer.ts";

const outside = { sender: null, headers: {}, chain: [] } as const;
const encode = (value: string): Uint8Array => new TextEncoder().encode(value);

function envelope(
  change: { target?: string; name?: string; sender?: string; chain?: readonly string[] },
  value: string,
) {
  const { target = "counter", name = "add", ...carried } = change;
  return new EnvelopeWriter(new NameCache()).write(
    target,
    name,
    "json",
    { ...outside, ...carried },
    encode(value),
  ).slice();
}

test("messages that are no envelopes, and values that are none, are refused, and the actor goes on", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  await system.spawn(counter, { name: "counter" });
  const port = portOf(client)!;
  const ask = (payload: Uint8Array) => port.call(askHandler, peer, payload, {});
  const tell = (payload: Uint8Array) => port.sync(tellHandler, peer, payload, {});
  const good = envelope({}, `{"n":1}`);
  assert.equal(new TextDecoder().decode(await ask(good)), "1");
  const refused: [Uint8Array, string][] = [
    [new Uint8Array(), "PAYLOAD_INVALID"],
    [Uint8Array.of(0xff), "PAYLOAD_INVALID"],
    [good.subarray(0, 8), "PAYLOAD_INVALID"],
    [envelope({}, "{n:1}"), "PAYLOAD_INVALID"],
    [envelope({}, `{"n":"1"}`), "PAYLOAD_INVALID"],
    [envelope({}, "[".repeat(100_000)), "PAYLOAD_INVALID"],
    [envelope({ target: "nobody" }, `{"n":1}`), "ACTOR_NOT_FOUND"],
    [envelope({ target: "__proto__" }, `{"n":1}`), "ACTOR_NOT_FOUND"],
    [envelope({ name: "__proto__" }, `{"n":1}`), "HANDLER_NOT_FOUND"],
    [envelope({ name: "toString" }, `{"n":1}`), "HANDLER_NOT_FOUND"],
    [envelope({ name: "" }, `{"n":1}`), "HANDLER_NOT_FOUND"],
  ];
  for (const [payload, code] of refused) {
    await fails(ask(payload), { code, ran: "no" });
    await fails(tell(payload), { code: code === "ACTOR_NOT_FOUND" || payload.length < 9 ? code : /./ });
  }
  // It is a good value, so that only the header is at fault.
  const large = new TextEncoder().encode(`{"n":1${" ".repeat(70_000)}}`);
  for (const header of ["", "ÿ", "\u{1f600}", "\u0000\u0007counter"]) {
    const call = { headers: { [envelopeHeader]: header } };
    await fails(port.call(askHandler, peer, large, call), {
      code: "PAYLOAD_INVALID",
      ran: "no",
      message: /^A message for an actor cannot be read/,
    });
  }
  const random = prng("hostile messages for actors");
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < 500; i++) {
    const bytes = good.slice();
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    sent.push((i % 2 === 0 ? ask : tell)(bytes.subarray(0, 1 + random.below(bytes.length))).catch(() => {}));
  }
  await Promise.all(sent);
  const { handled } = system.lookup("counter")!;
  assert.equal(typeof await actorRef(client, Counter, `counter@${peer}`).ask("add", { n: 1 }), "number");
  assert.equal(system.lookup("counter")!.handled, handled + 1);
});

test("a message names an actor of its own instance as the sender, whatever it claims, and a chain can only hurt its own", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const seen: string[] = [];
  const spy = actor(Counter, {
    init: () => null,
    tell: { reset: () => {} },
    ask: {
      add: (ctx, { n }) => {
        seen.push(String(ctx.sender), ctx.senderInstance);
        return n;
      },
    },
  });
  const own = await system.spawn(spy, { name: "counter" });
  const port = portOf(client)!;
  const ask = (payload: Uint8Array) => port.call(askHandler, peer, payload, {});
  const claimed = crypto.randomUUID();
  await ask(envelope({ sender: claimed }, `{"n":1}`));
  assert.deepEqual(seen, [`${claimed}@${client.instanceId}`, client.instanceId]);
  const chain = Array.from({ length: maxChainLength }, (_, turn) => `${own.target}@${peer}#${turn}`);
  await ask(envelope({ chain }, `{"n":1}`));
  assert.equal(await actorRef(client, Counter, own).ask("add", { n: 3 }), 3);
});

test("messages in another instance's name, and of strangers, reach no actor", async () => {
  await using t = await leakCheck();
  const { messenger, system, client } = await served(t);
  await system.spawn(counter, { name: "counter" });
  const mine = newInstanceId();
  const routing = new Uint8Array(24).fill(7);
  routing.set(instanceIdToBytes(mine));
  const raw = await RawDealer.open(t, messenger.endpoint, routing, mine);
  await raw.hello(["same-connection", "errors"]);
  const victim = await RawDealer.open(t, messenger.endpoint, undefined, client.instanceId);
  const stranger = await RawDealer.open(t, messenger.endpoint);
  const message = envelope({}, `{"n":1}`);
  const mismatches = () => messenger.stats().transport.drops.identityMismatch ?? 0;
  const started = () => messenger.stats().handlers.started;
  raw.send(request(askHandler, raw.id(5), message));
  await raw.next();
  assert.equal(system.lookup("counter")!.handled, 1);
  raw.send(request(askHandler, victim.id(6), message));
  await until(() => mismatches() === 1);
  const before = started();
  victim.send(request(askHandler, victim.id(7), message));
  stranger.send(request(tellHandler, stranger.id(8), message, ResponseKind.ack));
  await until(() => started() === before + 2);
  raw.send(request(askHandler, raw.id(9), message));
  await raw.next();
  assert.equal(system.lookup("counter")!.handled, 2);
});
