import { asMethod, type Contract, type InstanceId, readOptions } from "../../core/mod.ts";
import type { AckReceipt, RegisterAckOptions, SendAckOptions, SendWithAckOptions } from "./ack_options.ts";
import type { Builtins } from "./builtins.ts";
import {
  type HandlerDescription,
  listContract,
  listHandlers,
  type ListHandlersOptions,
  listHandlersOptionTable,
} from "./handler_list.ts";
import { announceTo, type AnnounceToOptions, announceToOptionTable } from "./announce_to.ts";
import { healthContract, healthOf, type HealthReport } from "./health.ts";
import type { SystemPort } from "../system_port.ts";
import { waitForHandler } from "./wait_for_handler.ts";
import { type WaitOptions, waitOptionTable } from "../calls/wait_options.ts";

/** The port of a messenger; undefined for other objects. */
export function portOf(messenger: object): SystemPort | undefined {
  return partsOf(messenger)?.core.system;
}

// Assigned by the class, which reads its private parts.
let partsOf: (messenger: object) => Builtins | undefined;

/** The messenger's calls to its peers' built-in handlers. */
export abstract class PeerQuestions {
  readonly #parts: { readonly builtins: object };

  /**
   * Used by `Messenger.create`.
   *
   * @param parts Holds the messenger's built-in handlers, once they are made.
   */
  constructor(parts: { readonly builtins: object }) {
    this.#parts = parts;
  }

  get #builtins(): Builtins {
    return this.#parts.builtins as Builtins;
  }

  get #port(): SystemPort {
    return this.#builtins.core.system;
  }

  static {
    partsOf = (messenger) => #parts in messenger ? messenger.#builtins : undefined;
  }

  /** A peer's health: status, age, load, queues, version. It answers also while it drains. */
  async healthCheck(peer: InstanceId, given?: WaitOptions): Promise<HealthReport> {
    const options = readOptions(given, waitOptionTable, "Cannot ask a peer how it is");
    return healthOf(await asMethod("healthCheck", this.#port.call(healthContract, peer, undefined, options)));
  }

  /** Names of a peer's handlers, with system handlers. The peer is asked each time. */
  async availableHandlers(peer: InstanceId, given?: WaitOptions): Promise<string[]> {
    const options = readOptions(given, waitOptionTable, "Cannot ask a peer for its handlers");
    const answer = this.#port.call(listContract, peer, undefined, options);
    return [...(await asMethod("availableHandlers", answer)).handlers];
  }

  /** A peer's handlers with their kinds, and JSON Schemas on request; plain Velo lists names only. */
  async listHandlers(peer: InstanceId, given?: ListHandlersOptions): Promise<HandlerDescription[]> {
    const options = readOptions(given, listHandlersOptionTable, "Cannot list the handlers of a peer");
    return await asMethod("listHandlers", listHandlers(this.#port, peer, options));
  }

  /**
   * Waits until a peer has a handler.
   *
   * @throws {ZeromeshError} `HANDLER_NOT_FOUND` when it has none by the deadline.
   */
  async waitForHandler(peer: InstanceId, name: string, given?: WaitOptions): Promise<void> {
    const options = readOptions(given, waitOptionTable, "Cannot wait for handler", name);
    const { timeoutMs = this.#builtins.timeoutMs } = options;
    await asMethod("waitForHandler", waitForHandler(this.#port, peer, name, timeoutMs, options));
  }

  /**
   * Announces this instance's address to a peer: it becomes a known peer there, and a leader with room admits it to its
   * cohort.
   *
   * @returns Whether the peer admitted it.
   */
  async announceTo(peer: InstanceId, given?: AnnounceToOptions): Promise<boolean> {
    const options = readOptions(given, announceToOptionTable, "Cannot announce this instance");
    return await asMethod("announceTo", announceTo(this.#builtins.core, peer, options));
  }

  /**
   * Registers an ACK, before its message is sent: the message carries the id as `_ack_id` in its JSON payload, and its
   * handler sends the ACK with `acknowledge(context)`.
   *
   * @throws {ZeromeshError} `ACK_EXISTS` for an id that is awaited, `QUEUE_FULL`, `CLOSED`.
   */
  registerAck(options?: RegisterAckOptions): AckReceipt {
    return this.#builtins.acks.register(options);
  }

  /**
   * Sends a message to an am handler with an `_ack_id` in its payload, and resolves when the handler's ACK arrives.
   * Only the peer itself can send it. An unknown or failing handler and a lost peer are reported at once.
   *
   * @throws {ZeromeshError} `TIMEOUT` when no ACK came, and the errors of `amSync`.
   */
  sendWithAck(target: string | Contract, options: SendWithAckOptions): Promise<void> {
    return this.#builtins.acks.sendWithAck(target, options);
  }

  /** Sends an ACK for the id of a peer's message. `acknowledge(context)` does it in a handler. */
  sendAck(to: InstanceId, id: string, options?: SendAckOptions): Promise<void> {
    return asMethod("sendAck", this.#builtins.acks.sendAck(to, id, options));
  }
}
