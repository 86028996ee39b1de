/** Streams between us and a Rust node. */
import assert from "node:assert/strict";
import type { Messenger } from "../../src/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { until } from "./until.ts";
import { VeloNode } from "./velo_node.ts";

/** We know a node, and it knows us. */
export async function acquainted(
  t: LeakCheck,
  env?: Readonly<Record<string, string>>,
): Promise<{ ours: Messenger; node: VeloNode }> {
  const node = await VeloNode.open(t, undefined, undefined, env);
  const ours = await t.messenger();
  await ours.connect(node.endpoint);
  await node.run("register", { peer: ours.peerInfo() });
  await node.run("handlers", { to: ours.instanceId });
  return { ours, node };
}

/** Nothing is left, and nothing that came from the node was dropped. */
export async function untilNothing(ours: Messenger): Promise<void> {
  await until(() => {
    const { writers = 0, readers = 0, unreadBytes = 0 } = ours.stats().streams ?? {};
    return writers + readers + unreadBytes === 0;
  }, { message: "the end of all streams" });
  assert.deepEqual(ours.stats().transport.drops, {});
  const { unknownSlot: _late, ...dropped } = ours.stats().streams!.dropped;
  assert.deepEqual(Object.entries(dropped).filter(([, count]) => count > 0), []);
}
