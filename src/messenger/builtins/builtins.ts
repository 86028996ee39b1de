import { Acks, type AckStats } from "../calls/acks.ts";
import type { MessengerCore } from "../core.ts";
import { serveDescription } from "./describe.ts";
import { serveHandlerList } from "./handler_list.ts";
import { HandlerWaits, type HandlerWaitStats } from "./handler_waits.ts";
import { serveHealth } from "./health.ts";
import { RegistrationOffice } from "./register_service.ts";
import type { SystemPort } from "../system_port.ts";

// Beside the messengers, because they have no private parts that a base class could use.
const builtins = new WeakMap<object, Builtins>();

/** Those of a messenger. */
export function builtinsOf(messenger: object): Builtins {
  const known = builtins.get(messenger);
  if (known !== undefined) return known;
  throw new TypeError("This is no messenger that was made by Messenger.create");
}

/** What a feature reaches a messenger through; undefined for what is no messenger of this library. */
export function portOf(messenger: object): SystemPort | undefined {
  return builtins.get(messenger)?.core.system;
}

/** What every instance answers about itself, and the ACKs it waits for. */
export class Builtins {
  /** The messenger. */
  readonly core: MessengerCore;
  /** ACKs by id. */
  readonly acks: Acks;
  /** Who waits for handlers here. */
  readonly waits: HandlerWaits;

  /**
   * Registers the handlers.
   *
   * @param messenger What users know the instance by.
   */
  constructor(
    core: MessengerCore,
    messenger: object,
    options: { services: () => readonly string[]; timeoutMs: number; maxHandlerWaits: number },
  ) {
    this.core = core;
    builtins.set(messenger, this);
    serveDescription(core, options.services);
    serveHandlerList(core);
    serveHealth(core);
    this.waits = new HandlerWaits(core, options.maxHandlerWaits);
    this.acks = new Acks(core, options.timeoutMs);
    new RegistrationOffice(core, messenger);
  }

  /** Counters. */
  stats(): BuiltinStats {
    return { acks: this.acks.stats(), handlerWaits: this.waits.stats() };
  }
}

/** Counters of {@link Builtins}. */
export interface BuiltinStats {
  /** ACKs by id. */
  readonly acks: AckStats;
  /** Peers that wait for handlers of this instance. */
  readonly handlerWaits: HandlerWaitStats;
}
