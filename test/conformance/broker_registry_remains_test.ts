import assert from "node:assert/strict";
import { ChannelNames } from "../../src/broker/registry/channel_names.ts";
import { PresenceTable } from "../../src/broker/registry/presence.ts";
import { client } from "../support/broker_registry.ts";
import { test } from "../support/testing.ts";

test("names that come and go are forgotten without a list", () => {
  const names = new ChannelNames();
  const used = new Set(["stays"]);
  names.add("stays");
  for (let i = 0; i < 10_000; i++) {
    names.add(`x${i}`);
    names.remove(used.size, (name) => used.has(name));
  }
  assert.ok(names.size < 200, `${names.size}`);
  assert.deepEqual([...names.from("", (name) => used.has(name))], ["stays"]);
});

test("an instance is forgotten with its last presence, and an identity with its last instance", () => {
  const table = new PresenceTable();
  const [one, two] = [client("k:1"), client("k:2")];
  const stays = table.add(one, "consumer", "x");
  const presences = [table.add(two, "producer", "x"), table.add(two, "consumer", "x")];
  for (const presence of presences) {
    assert.notEqual(table.memberOf(two), undefined);
    table.remove(presence);
  }
  assert.equal(table.memberOf(two), undefined);
  table.remove(presences[0]!);
  assert.deepEqual([table.size, table.countOf("k"), table.identities], [1, 1, 1]);
  table.remove(stays);
  assert.deepEqual([table.size, table.countOf("k"), table.identities], [0, 0, 0]);
});
