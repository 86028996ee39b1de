import { type Contract, type InstanceId, type WorkerId, ZeromeshError } from "../../core/mod.ts";
import type { SystemCall, SystemPort } from "../../messenger/mod.ts";
import { streamHandle, workerOfHandle } from "../../streams/mod.ts";
import { brokerError } from "../errors.ts";
import { brokerContracts, type BrokerRequest } from "../protocol/contracts.ts";
import { commonVersion, protocolVersions } from "../protocol/version.ts";
import type { ChannelRegistry } from "../registry/registry.ts";
import type { RegistryClient } from "../registry/registry_client.ts";
import type { BrokerAction } from "./access_rules.ts";
import type { KeyList } from "./key_list.ts";
import { Session, type Sessions } from "./sessions.ts";

/** What the answers of a broker need. */
export interface RequestParts {
  readonly port: SystemPort;
  readonly registry: ChannelRegistry;
  readonly sessions: Sessions;
  readonly keys: KeyList;
  readonly epoch: number;
  readonly heartbeatMs: number;
  readonly graceMs: number;
  readonly maxClients: number;
  readonly maxNotices: number;
  /** A request was answered with an error, or not. */
  readonly answered: (request: BrokerRequest, code: string | null) => void;
}

type Input<Request extends BrokerRequest> = SystemCall<typeof brokerContracts[Request]>["input"];
type Answer = object | Promise<object>;
type Run<Request extends BrokerRequest> = (
  input: Input<Request>,
  client: RegistryClient,
  may: (action: BrokerAction, channel: string) => Promise<void> | null,
) => Answer;

const done = { done: true } as const;

/** Answers the requests of clients. The result stops that. */
export function serveRequests(parts: RequestParts): Disposable {
  const { registry, port } = parts;
  const runs: { readonly [Request in Exclude<BrokerRequest, "hello">]: Run<Request> } = {
    register: (input, client, may) =>
      after(may("produce", input.channel), () => registry.registerProducer(client, input)),
    discover: ({ channel }, client, may) =>
      after(may("list", channel), () => registry.discover(client, channel)),
    deregister({ channel, presence }, client) {
      registry.deregisterProducer(client, channel, presence);
      return done;
    },
    heartbeat: ({ presences, metrics }, client) => ({
      unknown: registry.heartbeat(client, presences, metrics),
    }),
    registerConsumer: (input, client, may) =>
      after(may("consume", input.channel), () => registry.registerConsumer(client, input)),
    async registerAll({ producers, consumers }, client, may) {
      for (const one of [...producers, ...consumers]) checkClaim(one, client);
      // All are asked for in this turn, in which the message is valid.
      const made = producers.map((one) => tried(() => runs.register(one, client, may)));
      const joined = consumers.map((one) => tried(() => runs.registerConsumer(one, client, may)));
      return { producers: await Promise.all(made), consumers: await Promise.all(joined) };
    },
    deregisterConsumer({ channel, presence }, client) {
      registry.deregisterConsumer(client, channel, presence);
      return done;
    },
    admits: ({ channel, presence, consumer, instance }, client) => ({
      admitted: registry.admits(client, channel, presence, consumer, instance),
    }),
    async list(request, _client, may) {
      const { channels, more } = registry.list(request);
      const shown = await visible(channels, ({ name }) => may("list", name));
      return { channels: shown, next: more ? channels.at(-1)?.name ?? null : null };
    },
    schema(by, _client, may) {
      const found = registry.schema(by);
      return after(may("list", found.channel), () => found);
    },
    metrics: async ({ channel }, _client, may) => ({
      channels: await visible(registry.metrics({ channel }), (one) => may("list", one.channel)),
    }),
    presence: async ({ identity }, _client, may) => {
      const roles = await visible(registry.presenceOf(identity), (one) => may("list", one.channel));
      return { present: roles.length > 0, roles: roles.map(({ channel, role }) => ({ channel, role })) };
    },
    notify: ({ channel, event, data }, client, may) =>
      after(may("list", channel), () => ({ told: registry.notify(client, channel, event, data) })),
    broadcast: ({ channel, message, data }, client, may) =>
      after(may("list", channel), () => ({ told: registry.broadcast(client, channel, message, data) })),
    async close({ channel }, client, may) {
      const ofOthers = port.authorizes && await admitted(may("close", channel));
      registry.closeChannel(client, channel, { ofOthers });
      return done;
    },
  };
  const served = [serve(parts, "hello", (call) => hello(parts, call as never))];
  for (const [name, run] of Object.entries(runs) as [BrokerRequest, Run<"discover">][]) {
    served.push(serve(parts, name, (call) => {
      const client = clientOf(parts, call);
      // There it is whom the client asks for.
      if (name !== "presence") checkClaim(call.input as object, client);
      const may = (action: BrokerAction, channel: string) =>
        port.authorizes ? port.authorize(call, { broker: action, channel, identity: client.identity }) : null;
      return run(call.input as Input<"discover">, client, may);
    }));
  }
  return {
    [Symbol.dispose]() {
      for (const one of served) one[Symbol.dispose]();
    },
  };
}

function serve(
  { port, answered }: RequestParts,
  request: BrokerRequest,
  run: (call: SystemCall<Contract>) => Answer,
): Disposable {
  const count = (error: unknown): never => {
    answered(request, error instanceof ZeromeshError ? error.code : "HANDLER_FAILED");
    throw error;
  };
  return port.serve(
    brokerContracts[request],
    ((call: SystemCall<Contract>) => {
      try {
        const answer = run(call);
        if (answer instanceof Promise) return answer.catch(count);
        answered(request, null);
        return answer;
      } catch (error) {
        return count(error);
      }
    }) as never,
  );
}

function after(wait: Promise<void> | null, then: () => object): Answer {
  return wait === null ? then() : wait.then(then);
}

/** The answer to one of several registrations, or its refusal. */
async function tried(run: () => Answer): Promise<object> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ZeromeshError)) throw error;
    const { code, message, details } = error;
    return { code, message, details };
  }
}

/** Those of several things that the caller may see. */
async function visible<T>(all: T[], ask: (one: T) => Promise<void> | null): Promise<T[]> {
  const verdicts = await Promise.all(all.map((one) => admitted(ask(one))));
  return all.filter((_, at) => verdicts[at]);
}

async function admitted(wait: Promise<void> | null): Promise<boolean> {
  try {
    await wait;
    return true;
  } catch {
    return false;
  }
}

function hello(parts: RequestParts, call: SystemCall<typeof brokerContracts.hello>): object {
  const { port, sessions, epoch, heartbeatMs, graceMs, maxClients, maxNotices } = parts;
  const { lowest, highest, info, notices } = call.input;
  const version = commonVersion(protocolVersions, { lowest, highest });
  if (version === null) {
    const { lowest: from, highest: to } = protocolVersions;
    throw brokerError(
      "VERSION_UNSUPPORTED",
      `The broker speaks versions ${from} to ${to} of its protocol, and the client ${lowest} to ${highest}; update the older one`,
      protocolVersions,
    );
  }
  const { instance, workerId, identity } = provenOf(parts, call);
  const client: RegistryClient = { identity, instance, info };
  checkClaim(call.input, client);
  if (notices !== null && !isAnchorOf(workerId, notices)) {
    throw new ZeromeshError(
      "IDENTITY_MISMATCH",
      "The anchor for the notices is none of this client's own",
      { ran: "yes" },
    );
  }
  if (sessions.of(instance) === undefined && sessions.size >= maxClients) {
    throw new ZeromeshError(
      "LIMIT_REACHED",
      `The broker has ${sessions.size} clients, its most (maxClients)`,
      {
        ran: "yes",
      },
    );
  }
  sessions.set(instance, new Session(client, notices, port, maxNotices, port.logger));
  return { version, epoch, identity, heartbeatMs, graceMs };
}

/** Whether a handle is that of an anchor at an instance. */
function isAnchorOf(workerId: WorkerId, handle: string): boolean {
  try {
    return workerOfHandle(streamHandle(handle)) === workerId;
  } catch {
    return false;
  }
}

/** Who has sent a message, by its connection. @throws {ZeromeshError} `FORBIDDEN`, `IDENTITY_MISMATCH`. */
function provenOf(
  { port, keys }: RequestParts,
  call: SystemCall<Contract>,
): { readonly instance: InstanceId; readonly workerId: WorkerId; readonly identity: string } {
  const sender = port.senderOf(call);
  if (sender === null) {
    throw new ZeromeshError(
      "IDENTITY_MISMATCH",
      "The broker does not know the instance behind this connection",
      { ran: "yes" },
    );
  }
  const { key, own } = port.originOf(call);
  if (key !== null && !own && !keys.has(key)) {
    throw new ZeromeshError("FORBIDDEN", "The broker no longer admits this client's key", { ran: "yes" });
  }
  const { instanceId: instance, workerId } = sender;
  return { instance, workerId, identity: key ?? instance };
}

function clientOf(parts: RequestParts, call: SystemCall<Contract>): RegistryClient {
  const { instance, identity } = provenOf(parts, call);
  const client = parts.sessions.of(instance)?.client;
  if (client?.identity === identity) return client;
  throw brokerError(
    "CLIENT_UNKNOWN",
    "The broker does not know this client; it has to say hello first",
    undefined,
  );
}

/** A body may say who the client is, and nobody else. */
function checkClaim(input: { readonly identity?: string | undefined }, { identity }: RegistryClient): void {
  if (input.identity === undefined || input.identity === identity) return;
  throw new ZeromeshError(
    "IDENTITY_MISMATCH",
    `The request claims to come from ${
      input.identity.slice(0, 64)
    }, and its connection belongs to ${identity}`,
    { ran: "yes" },
  );
}
