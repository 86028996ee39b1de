import { Backoff, type Clock, errorText, type InstanceId, type Logger, supervise } from "../core/mod.ts";
import type { ServiceDiscovery, ServiceEvent } from "../discovery/mod.ts";

/** The instances of one service, kept up to date from one or more back ends. */
export class ServiceMembers implements Disposable {
  /** The instances, in a stable order. */
  members: readonly InstanceId[] = [];
  /** Position of the round-robin. */
  cursor = 0;
  /** Whether every back end has reported. */
  known = false;
  readonly #service: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onChange: () => void;
  readonly #stop = new AbortController();
  readonly #seen: Set<InstanceId>[];
  /** Why a back end cannot be asked now, by index; null if it can. */
  readonly #troubles: unknown[];
  #unknown: number;

  /** @param onChange Called after each change. */
  constructor(
    service: string,
    sources: readonly ServiceDiscovery[],
    parts: { clock: Clock; logger: Logger; onChange: () => void },
  ) {
    this.#service = service;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#onChange = parts.onChange;
    this.#seen = sources.map(() => new Set());
    this.#troubles = sources.map(() => null);
    this.#unknown = sources.length;
    sources.forEach((source, index) => void this.#follow(source, index));
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  /** Why one of the back ends cannot be asked now; undefined if all can. */
  get trouble(): unknown {
    return this.#troubles.find((one) => one !== null);
  }

  /** Follows one back end; a broken watch is opened again. */
  async #follow(source: ServiceDiscovery, index: number): Promise<void> {
    const { signal } = this.#stop;
    const seen = this.#seen[index]!;
    const onTrouble = (error: unknown): void => void (this.#troubles[index] = error);
    let told = false;
    await supervise(async (healthy) => {
      for await (const event of source.watch(this.#service, { signal, onTrouble })) {
        healthy();
        fold(seen, event);
        onTrouble(null);
        if (!told) this.known = --this.#unknown === 0;
        told = true;
        this.#changed();
      }
    }, {
      clock: this.#clock,
      backoff: new Backoff({ maxMs: 2_000 }),
      signal,
      failed: (error) => {
        onTrouble(error);
        this.#logger.warn("cannot watch a service", { service: this.#service, reason: errorText(error) });
      },
    });
  }

  #changed(): void {
    const all = new Set<InstanceId>();
    for (const seen of this.#seen) for (const id of seen) all.add(id);
    this.members = [...all].sort();
    this.#onChange();
  }
}

function fold(into: Set<InstanceId>, event: ServiceEvent): void {
  switch (event.type) {
    case "initial":
      into.clear();
      for (const id of event.instances) into.add(id);
      break;
    case "added":
      into.add(event.instance);
      break;
    case "removed":
      into.delete(event.instance);
      break;
  }
}
