/** Where everything that takes options is called, and the names that many of them share. */
import { z } from "zod";
import { type CohortMembership, joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { ActiveMessageExecutor, serveExecutor } from "../../src/executor/mod.ts";
import {
  acknowledge,
  amHandler,
  contract,
  type InstanceId,
  type Messenger,
  stream,
  unaryHandler,
} from "../../src/mod.ts";
import type { LeakCheck } from "./fixture.ts";

/** Where the calls are made: a client that knows a server, which leads a cohort with that client in it. */
export interface OptionScene {
  readonly server: Messenger;
  readonly client: Messenger;
  /** An instance that nobody knows. */
  readonly third: Messenger;
  /** The server's id. */
  readonly peer: InstanceId;
  readonly cohort: LeaderWorkerCohort;
  readonly membership: CohortMembership;
  readonly executor: ActiveMessageExecutor;
}

/** One thing that takes options. */
export interface OptionEntry {
  /** Its name: `function`, `Class.method`, `new Class`, or `Interface#method`. */
  readonly name: string;
  /** The names of its options. */
  readonly options: readonly string[];
  /** Those that are objects of options themselves, with the names of theirs. */
  readonly nested?: Readonly<Record<string, readonly string[]>>;
  /** The parts that it needs for its work. */
  readonly needs?: (scene: OptionScene) => Readonly<Record<string, unknown>>;
  /** Those that say when it gives up: what is not above 0 has passed then. */
  readonly timeouts?: readonly string[];
  /** Other lengths of time that may be endless. */
  readonly durations?: readonly string[];
  /** Calls it, and cleans up. The options are whatever a test likes. */
  readonly call: (scene: OptionScene, options: never) => unknown;
}

/** A contract that echo servers have. */
export const add = contract("add", {
  input: z.object({ a: z.number() }).optional(),
  output: z.object({ a: z.number() }).optional(),
});
/** A contract without an answer. */
export const log = contract("log", { input: z.number().optional() });

/** A contract with a stream each way. */
export const talk = contract("talk", { input: stream(z.number()), output: stream(z.number()) });

/** Makes the scene; it ends with the fixture. */
export async function optionScene(t: LeakCheck): Promise<OptionScene> {
  const discovery = new StaticDiscovery();
  const server = await t.messenger({ discovery, services: ["echo"] });
  const client = await t.messenger({ discovery });
  const third = await t.messenger();
  // Long enough for a timer that cannot count so far, and would fire at once.
  const soon = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
  for (const messenger of [server, client]) {
    messenger.registerHandler(unaryHandler("echo", async ({ payload }) => (await soon(), payload)));
    messenger.registerHandler(amHandler("note", soon));
    messenger.registerHandler(amHandler("answers", async (context) => void await acknowledge(context)));
    messenger.handle(add, async ({ input }) => (await soon(), input));
    messenger.handle(log, soon);
    messenger.handle(talk, async ({ input }) => (await soon(), input));
  }
  const peer = await client.connect(server.endpoint);
  await server.announce();
  const cohort = LeaderWorkerCohort.create(server, { size: 1 });
  t.defer(async () => void await cohort.close());
  const membership = await joinCohort(client, { leader: peer });
  const executor = t.use(new ActiveMessageExecutor());
  executor.registerHandlers({ work: soon });
  t.use(serveExecutor(server, executor));
  return { server, client, third, peer, cohort, membership, executor };
}

/** Options of every wait. */
export const wait = ["timeoutMs", "signal"] as const;
/** Those of `retry`. */
export const retry = { retry: ["attempts", "backoffMs", "ran"] } as const;
/** Options of a typed client's method. */
export const method = [...wait, "headers", "metadata", "retry"] as const;
/** Options of a call by contract. */
export const typedCall = [...method, "to", "payload"] as const;
/** Options of a call by name. */
export const call = [...typedCall, "rawPayload"] as const;
/** Those of `dispatch`. */
export const dispatch = ["ordered", "maxQueued", "idleLaneTtlMs", "overflow"] as const;
/** Options of a handler's tasks. */
export const task = ["dispatch", "concurrency", "rate", "limits", "maxQueued", "onError"] as const;
/** The options of the makers of handlers. */
export const tasks = {
  options: [...task, "schema", "authorize"],
  nested: { dispatch, rate: ["perSecond", "burst"] },
} as const;
/** Options of watching a service. */
export const watch = ["signal", "onTrouble"] as const;
/** Options of a collective. */
export const collective = [...wait, "rank", "ranks", "headers"] as const;
/** Options of a collective that sends the same to all. */
export const broadcast = [...collective, "payload", "rawPayload"] as const;
/** The options of every wait. */
export const waits = { timeouts: ["timeoutMs"] } as const;
/** The options of every call. */
export const calls = { ...waits, nested: retry, needs: ({ peer }: OptionScene) => ({ to: peer }) } as const;
/** No bytes. */
export const nothing = new Uint8Array(0);
/** A message for the executor. */
export const message = { messageType: "work", messageData: nothing, responseNotification: "1" };

/** Ends a watch that has begun. */
export async function watched(iterator: AsyncIterableIterator<unknown>): Promise<void> {
  await iterator.return?.();
}
