import assert from "node:assert/strict";
import {
  type BrokerNotice,
  type ChannelPattern,
  ChannelRegistry,
  type ConsumerRegistration,
  type ProducerRegistration,
  type RegistryClient,
  type RegistryLimits,
} from "../../src/broker/mod.ts";
import type { InstanceId } from "../../src/mod.ts";

/** A registry with an owner that writes down what it is asked for. */
export interface OwnedRegistry {
  readonly registry: ChannelRegistry;
  /** Presences that would expire. */
  readonly leases: Set<number>;
  /** Channels that close, with the number of the closing. */
  readonly graces: (readonly [channel: string, closing: number])[];
  /** The notices since the last call, each with the client's instance. */
  told(): (readonly [to: string, notice: BrokerNotice])[];
}

/** Makes a registry. @param check Sees each notice at the moment at which it is given. */
export function ownedRegistry(
  limits?: RegistryLimits,
  check: (to: string, notice: BrokerNotice) => void = () => {},
): OwnedRegistry {
  const leases = new Set<number>();
  const graces: [string, number][] = [];
  let notices: [string, BrokerNotice][] = [];
  const registry = new ChannelRegistry({
    notice(client, notice) {
      check(client.instance, notice);
      notices.push([client.instance, notice]);
    },
    renew: (presence) => void leases.add(presence),
    release: (presence) => void leases.delete(presence),
    grace: (channel, closing) => void graces.push([channel, closing]),
  }, limits);
  const told = () => {
    const all = notices;
    notices = [];
    return all;
  };
  return { registry, leases, graces, told };
}

/** A client by its name: its key is the first part, its instance the whole. */
export function client(name: string): RegistryClient {
  const [identity] = name.split(":") as [string];
  return { identity, instance: name, info: { pid: 7, host: "here", runtime: "bun", name } };
}

const noSchema = { hash: null, text: null, version: "1" } as const;

/** What a producer registers, with streams of its own instance. */
export function producing(
  channel: string,
  { instance }: RegistryClient,
  more: Partial<ProducerRegistration> = {},
): ProducerRegistration {
  const route = { transport: "stream", instance: instance as InstanceId, peer: null } as const;
  const pattern: ChannelPattern = "pipeline";
  return { channel, pattern, schema: noSchema, metadata: null, sharedMemory: null, route, ...more };
}

/** What a consumer registers that takes whatever there is. */
export function consuming(channel: string, more: Partial<ConsumerRegistration> = {}): ConsumerRegistration {
  return { channel, pattern: null, transport: null, schema: noSchema, peer: null, ...more };
}

/** Registers a producer and gives its first heartbeat. Returns its presence. */
export function produce(
  { registry }: OwnedRegistry,
  channel: string,
  by: RegistryClient,
  more: Partial<ProducerRegistration> = {},
): number {
  const { presence } = registry.registerProducer(by, producing(channel, by, more));
  assert.deepEqual(registry.heartbeat(by, [presence]), []);
  return presence;
}

/** Registers a consumer. Returns its presence. */
export function consume(
  { registry }: OwnedRegistry,
  channel: string,
  by: RegistryClient,
  more: Partial<ConsumerRegistration> = {},
): number {
  return registry.registerConsumer(by, consuming(channel, more)).presence;
}

/** The code of the error that a call throws, and its details. */
export function refusal(call: () => unknown): { code: string; message: string; details: unknown } {
  try {
    call();
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: unknown };
    assert.equal(typeof code, "string", `${error}`);
    return { code, message, details };
  }
  assert.fail("nothing was refused");
}
