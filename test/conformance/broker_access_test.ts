/** Rules of who may do what with which channel. */
import assert from "node:assert/strict";
import { type BrokerQuestion, type ChannelRule, channelRules } from "../../src/broker/mod.ts";
import { curveKeyPair, ZeromeshError } from "../../src/mod.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { clientOf, keyedBroker, rawClient, startedBroker } from "./broker_kit.ts";

test("a rule admits everybody, those with keys or some keys, and the first one that fits decides", async () => {
  const rules = channelRules([
    { channels: "lab/secret/**", produce: ["A"], consume: ["B"], close: ["C"] },
    { channels: "lab/*", produce: "keyed", consume: "any" },
    { channels: "hall.?", produce: "any", list: ["C"] },
  ]);
  const may = async (action: BrokerQuestion["action"], channel: string, key: string | null) =>
    await rules({ action, channel, key, identity: key ?? "some instance" }) === true;
  const table: (readonly [BrokerQuestion["action"], string, readonly (string | null)[]])[] = [
    ["produce", "lab/secret/x", ["A"]],
    ["consume", "lab/secret/x", ["B"]],
    ["list", "lab/secret/x", ["A", "B"]],
    ["close", "lab/secret/x", ["C"]],
    ["produce", "lab/x", ["A", "B", "C"]],
    ["consume", "lab/x", ["A", "B", "C", null]],
    ["list", "lab/x", ["A", "B", "C", null]],
    ["close", "lab/x", []],
    ["consume", "lab/x/y", []],
    ["consume", "lab/x.y", []],
    ["produce", "hall.x", ["A", "B", "C", null]],
    ["list", "hall.x", ["C"]],
    ["produce", "hall/x", []],
    ["produce", "hall.xy", []],
    ["produce", "other", []],
  ];
  for (const [action, channel, who] of table) {
    for (const key of ["A", "B", "C", null]) {
      assert.equal(await may(action, channel, key), who.includes(key), `${key} ${action} ${channel}`);
    }
  }
});

test("a rule with an unknown word or of a wrong type is refused", () => {
  const wrong = [{ chanels: "x" }, { channels: "" }, {}, { channels: "x", produce: "all" }, {
    channels: "x",
    list: 1,
  }];
  for (const rule of wrong) {
    assert.throws(() => channelRules([rule as unknown as ChannelRule]), TypeError, JSON.stringify(rule));
  }
});

test("a broker asks its rules for each request, and shows only the channels that a client may see", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const [one, two] = [await curveKeyPair(), await curveKeyPair()];
  const broker = await keyedBroker(t, {
    authorize: channelRules([
      { channels: "open/**", produce: "keyed", consume: "keyed", close: [two.publicKey] },
      { channels: "own/**", produce: [one.publicKey], consume: [one.publicKey] },
    ]),
  });
  const { client: owner } = await clientOf(t, broker, { curve: one });
  const { client: other } = await clientOf(t, broker, { curve: two });
  await owner.registerProducer("own/x");
  await owner.registerProducer("open/x");
  const forbidden = { code: "FORBIDDEN" };
  await assert.rejects(owner.registerProducer("else"), forbidden);
  await assert.rejects(other.registerProducer("own/y"), forbidden);
  await assert.rejects(other.registerConsumer("own/x"), forbidden);
  await assert.rejects(other.discoverProducer("own/x"), forbidden);
  await assert.rejects(other.querySchema("own/x"), forbidden);
  const names = (channels: { name: string }[]) => channels.map(({ name }) => name);
  assert.deepEqual(names(await owner.listChannels()), ["open/x", "own/x"]);
  assert.deepEqual(names(await other.listChannels()), ["open/x"]);
  await other.registerConsumer("open/x");
  const raw = await rawClient(t, broker, two);
  await raw.hello();
  const { roles } = await raw.ask("presence", { identity: one.publicKey });
  assert.deepEqual(roles, [{ channel: "open/x", role: "producer" }]);
  for (const request of ["notify", "broadcast"] as const) {
    const said = { channel: "own/x", event: "e", message: "m", data: null };
    await assert.rejects(raw.ask(request, said as never), forbidden, request);
  }
  // Its own by ownership, another's by the rule.
  await assert.rejects(other.closeChannel("own/x"), { code: "NOT_REGISTERED" });
  await owner.closeChannel("own/x");
  await other.closeChannel("open/x");
  await until(() => broker.channels().length === 0, { message: "both channels to end" });
});

test("an authorize of one's own may take its time, and its error reaches the client", async () => {
  await using t = await leakCheck();
  const asked: BrokerQuestion[] = [];
  const broker = await startedBroker(t, {
    authorize: async (question) => {
      asked.push(question);
      await Promise.resolve();
      return question.action === "list" || new ZeromeshError("FORBIDDEN", "not on Sundays");
    },
  });
  const { client, messenger } = await clientOf(t, broker);
  await assert.rejects(client.registerProducer("lab/x"), { code: "FORBIDDEN", message: /not on Sundays/ });
  assert.equal(await client.discoverProducer("lab/x"), null);
  const { instanceId: identity } = messenger;
  assert.deepEqual(asked, [
    { action: "produce", channel: "lab/x", identity, key: null },
    { action: "list", channel: "lab/x", identity, key: null },
  ]);
});
