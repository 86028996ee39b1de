import type { InstanceId } from "../../core/mod.ts";
import type { HandlerTrace, SystemPort } from "../../messenger/mod.ts";
import type { ActorChannel } from "../references/actor_channel.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { Cell } from "../cell/cell.ts";
import type { TurnCell } from "../cell/parts.ts";
import { RingProbes, type RingProbesParts } from "./ring_probes.ts";
import { systemAt } from "./client.ts";
import { Inbound, type InboundParts } from "./inbound.ts";
import { Outbound, type OutboundParts } from "./outbound.ts";
import { InboundWatches, type InboundWatchesParts } from "./inbound_watches.ts";
import type { OutgoingMessage, OutgoingOpen } from "../cell/outgoing.ts";
import type { Remote } from "../routing/remote.ts";
import { watchFrom } from "./outbound_watch.ts";

/** A system's way to actors of other instances, and theirs to its actors. */
export class RemoteActors implements Remote {
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #watches: InboundWatches;
  readonly #probes: RingProbes;
  readonly #port: SystemPort;
  readonly #reachMs: number;

  constructor(parts: InboundParts & InboundWatchesParts & OutboundParts & RingProbesParts) {
    this.#probes = new RingProbes(parts);
    this.#inbound = new Inbound(parts);
    this.#watches = new InboundWatches(parts);
    this.#port = parts.port;
    this.#reachMs = parts.options.askTimeoutMs;
    this.#outbound = new Outbound(parts);
  }

  tell(message: OutgoingMessage): Promise<void> {
    return this.#outbound.tell(message);
  }

  ask(message: OutgoingMessage): Promise<unknown> {
    return this.#outbound.ask(message);
  }

  open(message: OutgoingOpen): Promise<ActorChannel> {
    return this.#outbound.open(message);
  }

  watch(
    instance: InstanceId,
    target: string,
    ended: (end: ActorEnd) => void,
    within: HandlerTrace | null,
  ): Disposable {
    return watchFrom(this.#port, instance, target, this.#reachMs, ended, within);
  }

  suspectRing(cell: TurnCell): void {
    this.#probes.suspect(cell as Cell);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#inbound[Symbol.dispose]();
    this.#watches[Symbol.dispose]();
    this.#probes[Symbol.dispose]();
    systemAt(this.#port, null);
    return Promise.resolve();
  }
}
