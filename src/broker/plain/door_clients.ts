import type { ProcessInfo } from "../protocol/contracts.ts";
import type { RegistryClient } from "../registry/registry_client.ts";
import { textOfBytes } from "./frames.ts";

/** What a client has registered at a channel. */
export interface DoorRegistration {
  readonly presence: number;
  readonly channel: string;
  readonly role: "producer" | "consumer";
  readonly client: DoorClient;
  /** The process id that it named; null if it did not. It tells nothing, but an older program repeats it. */
  readonly pid: number | null;
}

/** A foreign program at the door: one routing id, and with CURVE one key. */
export class DoorClient implements RegistryClient {
  readonly routingId: Uint8Array;
  /** The routing id as a text, which the program may call itself. */
  readonly name: string;
  /** Its CURVE key; null without keys. */
  readonly key: string | null;
  readonly identity: string;
  readonly instance: string;
  info: ProcessInfo = { pid: 0, host: "", runtime: "foreign", name: null };
  /** Whether it speaks the older form of frames. */
  older = false;
  /** The channel whose producer it is becoming right now. */
  registering: string | null = null;
  /** The end of the messages of it that wait for a decision. */
  waiting: Promise<void> | null = null;
  readonly #registrations = new Map<string, DoorRegistration>();

  constructor(routingId: Uint8Array, key: string | null) {
    this.routingId = routingId;
    this.name = textOfBytes(routingId);
    this.key = key;
    this.instance = identityOfName(this.name);
    this.identity = key ?? this.instance;
  }

  /** Whether it has registered nothing and waits for nothing. */
  get idle(): boolean {
    return this.#registrations.size === 0 && this.waiting === null;
  }

  registered(role: DoorRegistration["role"], channel: string): DoorRegistration | undefined {
    return this.#registrations.get(`${role} ${channel}`);
  }

  registrations(): Iterable<DoorRegistration> {
    return this.#registrations.values();
  }

  add(registration: DoorRegistration): void {
    this.#registrations.set(`${registration.role} ${registration.channel}`, registration);
  }

  remove(registration: DoorRegistration): void {
    const key = `${registration.role} ${registration.channel}`;
    if (this.#registrations.get(key) === registration) this.#registrations.delete(key);
  }
}

/** The identity of a client without a key that has this name. It cannot be the one of an instance of a messenger. */
export function identityOfName(name: string): string {
  return `plain:${name}`;
}

/** The clients of a door that have registered something, and what they have registered. */
export class DoorClients {
  readonly #clients = new Map<string, DoorClient>();
  readonly #presences = new Map<number, DoorRegistration>();

  get size(): number {
    return this.#clients.size;
  }

  get presences(): number {
    return this.#presences.size;
  }

  /** The client of a message. Another key behind a routing id is another client. */
  of(routingId: Uint8Array, key: string | null): DoorClient {
    const known = this.#clients.get(textOfBytes(routingId));
    return known !== undefined && known.key === key ? known : new DoorClient(routingId, key);
  }

  /** Whether a client is reached under its routing id. */
  reaches(client: DoorClient): boolean {
    return this.#clients.get(client.name) === client;
  }

  /** Keeps a client that is not idle, and forgets one that is. */
  settle(client: DoorClient): void {
    if (!client.idle) this.#clients.set(client.name, client);
    else if (this.reaches(client)) this.#clients.delete(client.name);
  }

  add(registration: DoorRegistration): void {
    registration.client.add(registration);
    this.#presences.set(registration.presence, registration);
  }

  presence(presence: number): DoorRegistration | undefined {
    return this.#presences.get(presence);
  }

  /** Forgets a presence that has ended. */
  remove(presence: number): void {
    const registration = this.#presences.get(presence);
    if (registration === undefined) return;
    this.#presences.delete(presence);
    registration.client.remove(registration);
    // The registry tells a client of the end of what it has registered after the end.
    queueMicrotask(() => this.settle(registration.client));
  }
}
