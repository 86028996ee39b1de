import { Acks, type AckStats } from "./acks.ts";
import type { MessengerCore } from "../core.ts";
import { serveHandlerList } from "./handler_list.ts";
import { HandlerWaits, type HandlerWaitStats } from "./handler_waits.ts";
import { serveRegistration } from "./announce_to.ts";
import { serveHealth } from "./health.ts";

/** The handlers that every instance has, and its ACKs. */
export class Builtins {
  /** The messenger. */
  readonly core: MessengerCore;
  /** Default deadline in milliseconds. */
  readonly timeoutMs: number;
  /** ACKs by id. */
  readonly acks: Acks;
  /** Peers that wait for handlers of this instance. */
  readonly waits: HandlerWaits;

  /** Registers the handlers. */
  constructor(
    core: MessengerCore,
    options: { timeoutMs: number; maxHandlerWaits: number },
  ) {
    this.core = core;
    this.timeoutMs = options.timeoutMs;
    serveHealth(core);
    serveHandlerList(core);
    this.waits = new HandlerWaits(core, options.maxHandlerWaits);
    this.acks = new Acks(core, options.timeoutMs);
    serveRegistration(core);
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
