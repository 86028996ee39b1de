/** Helpers for tests of actors: a node with a system and a client that only dials. */
import { z } from "zod";
import { actor, actorContract, ActorSystem, type ActorSystemOptions } from "../../src/actors/mod.ts";
import type { InstanceId, Messenger, MessengerOptions } from "../../src/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";

/** A counter, as in the guide. */
export const Counter = actorContract("counter", {
  tell: { reset: z.object({ to: z.number() }) },
  ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
});

/** What serves {@link Counter}. */
export const counter = actor(Counter, {
  init: () => ({ count: 0 }),
  tell: { reset: (ctx, { to }) => void (ctx.state.count = to) },
  ask: { add: (ctx, { n }) => (ctx.state.count += n) },
});

/** A messenger with a system. */
export interface ActorNode {
  readonly messenger: Messenger;
  readonly system: ActorSystem;
}

/** Makes a node that is closed with the fixture. */
export async function actorNode(
  t: LeakCheck,
  options: { messenger?: MessengerOptions; system?: ActorSystemOptions } = {},
): Promise<ActorNode> {
  const messenger = await t.messenger(options.messenger);
  const system = t.use(await ActorSystem.create(messenger, options.system));
  return { messenger, system };
}

/** A node, and a client that only dials. */
export async function served(
  t: LeakCheck,
  options: { messenger?: MessengerOptions; system?: ActorSystemOptions } = {},
): Promise<ActorNode & { client: Messenger; peer: InstanceId }> {
  const node = await actorNode(t, options);
  const client = await t.messenger({ listen: false });
  const peer = await client.connect(node.messenger.endpoint);
  return { ...node, client, peer };
}

/** Two nodes that know each other. */
export async function twoNodes(
  t: LeakCheck,
): Promise<{ one: ActorNode; two: ActorNode }> {
  const [one, two] = [await actorNode(t), await actorNode(t)];
  await one.messenger.connect(two.messenger.endpoint);
  return { one, two };
}
