/** Helpers for tests of actors: a node with a system and a client that only dials. */
import { z } from "zod";
import { actor, actorContract, ActorSystem, type ActorSystemOptions } from "../../src/actors/mod.ts";
import type { InstanceId, Messenger, MessengerOptions } from "../../src/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { until } from "../support/until.ts";

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

/** A node behind a proxy that can be cut, and a client that has dialled it there. */
export async function proxiedNode(t: LeakCheck, options: MessengerOptions = {}) {
  const node = await actorNode(t, { messenger: { ipc: false, ...options } });
  const proxy = t.use(await startProxy({ targetPort: portOf(node.messenger.endpoint) }));
  const client = await t.messenger({ ipc: false, listen: false, ...options });
  const peer = await client.connect(proxy.endpoint);
  const lost = async (how: { reset: boolean }): Promise<void> => {
    proxy.refusing = true;
    proxy.cut(how);
    await until(() => client.peers()[0]?.up === false && node.messenger.peers()[0]?.up !== true);
  };
  const back = async (): Promise<void> => {
    proxy.refusing = false;
    await until(() => client.peers()[0]?.up && node.messenger.peers()[0]?.up, { timeoutMs: 5_000 });
  };
  return { ...node, client, peer, lost, back };
}
