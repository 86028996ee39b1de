import {
  checkArgument,
  type Contract,
  type HandlerInput,
  type InstanceId,
  option,
  readOptions,
  requireOption,
  shape,
  systemContract,
  ZeromeshError,
} from "../../core/mod.ts";
import { responseIdFromUuid, responseIdToUuid } from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { HandlerContext } from "../handlers/handler_context.ts";
import { tableFull } from "../peers/link_errors.ts";
import {
  ackField,
  ackIdKind,
  type AckReceipt,
  type RegisterAckOptions,
  registerAckOptionTable,
  type SendAckOptions,
  sendAckOptionTable,
  type SendWithAckOptions,
  sendWithAckOptionTable,
} from "./ack_options.ts";
import { type CallTable, PendingCall } from "../calls/pending.ts";
import { elapsedOf } from "../calls/elapsed.ts";

/** Counters of ACKs by id. */
export interface AckStats {
  /** Awaited ACKs. */
  readonly waiting: number;
  /** Awaited ACKs with ids of the user's. */
  readonly named: number;
  /** ACKs that ended a wait. */
  readonly received: number;
  /** ACKs after the end of their wait. */
  readonly late: number;
  /** ACKs repeated after one that ended the wait. */
  readonly duplicate: number;
  /** ACKs from another instance than the expected one. */
  readonly foreign: number;
  /** ACKs with an id that was not registered, or long ago. */
  readonly unknown: number;
  /** ACKs that could not be decoded. */
  readonly malformed: number;
}

/** The message of an ACK. */
const ackContract = systemContract("_ack", {
  input: shape.record({
    ack_id: shape.of<string>(ackIdKind),
    status: shape.optional(shape.record({
      type: shape.of<"Ack" | "Nack">(option.oneOf("Ack", "Nack")),
      data: shape.lenient(shape.record({ error: shape.anything })),
    })),
  }),
});
const maxRemembered = 1_024;

/** An awaited ACK: an entry of the response table. */
class PendingAck extends PendingCall {
  text = "";
  /** Whether the loss of the other side ends the wait. */
  armed = false;
  readonly #counters: { waiting: number };

  constructor(
    table: CallTable,
    from: InstanceId | undefined,
    timeoutMs: number,
    spent: number,
    counters: { waiting: number },
  ) {
    super(table, from, ackContract.name, timeoutMs, null, spent);
    this.#counters = counters;
  }

  override expire(): void {
    const from = this.peer === undefined ? "" : ` from ${this.peerText}`;
    const why = `ACK ${this.text} did not come${from} within ${Math.round(this.timeoutMs)} ms`;
    this.fail(new ZeromeshError("TIMEOUT", why, { peer: this.peer, ran: "maybe" }));
  }

  protected override ended(): void {
    this.#counters.waiting--;
  }
}

/** ACKs by id. A waiter registers one before it sends the message that requests it. */
export class Acks {
  readonly #core: MessengerCore;
  readonly #table: CallTable;
  readonly #timeoutMs: number;
  readonly #named = new Map<string, PendingAck>();
  // Ends of the last waits, to distinguish late ACKs from duplicate and unknown ones.
  readonly #remembered = new Map<string, "late" | "duplicate">();
  readonly #counters = { waiting: 0, received: 0, late: 0, duplicate: 0, foreign: 0, unknown: 0 };

  /** @param timeoutMs Default timeout. */
  constructor(core: MessengerCore, timeoutMs: number) {
    this.#core = core;
    this.#table = core.system.calls;
    this.#timeoutMs = timeoutMs;
    core.registry.serve(ackContract, (call) => this.#onAck(call, call.input), { whileDraining: true });
    core.system.watch({ lost: (peer, rest) => this.#lost(peer, rest) });
  }

  /** Counters. */
  stats(): AckStats {
    const malformed = this.#core.registry.get(ackContract.name)?.counts.rejected ?? 0;
    return { ...this.#counters, named: this.#named.size, malformed };
  }

  /** Registers an ACK. See `Messenger.registerAck`. */
  register(options?: RegisterAckOptions): AckReceipt {
    const ack = this.#register(readOptions(options, registerAckOptionTable, "Cannot register an ACK"));
    const giveUp = () => {
      ack.fail(
        new ZeromeshError("CANCELLED", `The wait for ACK ${ack.text} was given up`, { peer: ack.peer }),
      );
    };
    return { id: ack.text, received: ack.promise as Promise<void>, [Symbol.dispose]: giveUp };
  }

  /** Sends a message that requests an ACK, and waits for the ACK. See `Messenger.sendWithAck`. */
  async sendWithAck(target: string | Contract, given: SendWithAckOptions): Promise<void> {
    const options = readOptions(given, sendWithAckOptionTable, "Cannot send with ACK");
    const { payload = {} } = options;
    const to = requireOption(options, "to", sendWithAckOptionTable, "Cannot send with ACK");
    if (ackField in payload) {
      const why = `the payload must be an object without ${ackField}, which is added to it`;
      throw new TypeError(`Cannot send with ACK: ${why}`);
    }
    if (typeof target === "object" && target?.encoding === "msgpack") {
      throw new TypeError(
        'Cannot send with ACK: the payload of the contract is not JSON; use encoding "json"',
      );
    }
    const ack = this.#register({ ...options, from: to }, false);
    const message = { ...options, payload: { ...payload, [ackField]: ack.text } };
    // Also acknowledged by the transport, so that an unknown or failing handler is known at once; it may go on after
    // its ACK.
    this.#core.client.amSync(target as string, message).then(
      () => ack.armed = true,
      (error) => ack.fail(error),
    );
    await ack.promise;
  }

  /** Sends an ACK. See `Messenger.sendAck`. */
  async sendAck(to: InstanceId, id: string, options?: SendAckOptions): Promise<void> {
    const { error, timeoutMs } = readOptions(options, sendAckOptionTable, "Cannot send an ACK");
    checkArgument("id", id, ackIdKind, "Cannot send an ACK");
    const status = error === undefined ? undefined : { type: "Nack", data: { error } } as const;
    await this.#core.system.tell(ackContract, to, { ack_id: id, status }, { timeoutMs });
  }

  #register(options: RegisterAckOptions, watched = true): PendingAck {
    const { id, from, signal, timeoutMs = this.#timeoutMs } = options;
    if (this.#core.lifecycle === "closed") {
      throw new ZeromeshError("CLOSED", "Cannot register an ACK: this instance is closed");
    }
    if (id !== undefined && this.#find(id) !== null) {
      const why = `Cannot register ACK ${id}: another wait has this id; use another one`;
      throw new ZeromeshError("ACK_EXISTS", why);
    }
    const ack = new PendingAck(this.#table, from, timeoutMs, elapsedOf(options), this.#counters);
    if (!this.#table.enlist(ack)) throw tableFull();
    // Set before the wait begins, since an error may name it at once.
    ack.text = id ?? responseIdToUuid(ack);
    this.#counters.waiting++;
    // The user may handle the promise later, or never.
    ack.promise.catch(() => this.#over(ack, "late"));
    this.#table.begin(ack, signal);
    if (id !== undefined && !ack.settled) this.#named.set(id, ack);
    ack.armed = watched && from !== undefined && this.#core.system.isUp(from);
    return ack;
  }

  #find(text: string): PendingAck | null {
    const named = this.#named.get(text);
    if (named !== undefined && !named.settled) return named;
    const id = responseIdFromUuid(text);
    const call = id === null ? null : this.#table.find(id);
    // Other calls cannot be ended by an ACK.
    return call instanceof PendingAck && call.text === text.toLowerCase() ? call : null;
  }

  #onAck(message: InboundCall, { ack_id: id, status }: HandlerInput<typeof ackContract>): void {
    const ack = this.#find(id);
    const sender = this.#core.system.senderOf(message)?.instanceId ?? null;
    if (ack === null) return this.#useless(this.#whyUseless(id), id, sender);
    if (ack.peer !== undefined && ack.peer !== sender) return this.#useless("foreign", id, sender);
    this.#counters.received++;
    this.#over(ack, "duplicate");
    if (status?.type !== "Nack") return ack.succeed(undefined);
    const failure = String(status.data?.error ?? "the handler failed");
    ack.fail(new ZeromeshError("HANDLER_FAILED", failure, { peer: sender ?? undefined, ran: "yes" }));
  }

  #whyUseless(text: string): "late" | "duplicate" | "unknown" {
    const ended = this.#remembered.get(text);
    if (ended !== undefined) return ended;
    const id = responseIdFromUuid(text);
    const { id0, id1 } = this.#table.ownWorker;
    return id !== null && id.id0 === id0 && id.id1 === id1 ? "late" : "unknown";
  }

  #useless(why: "late" | "duplicate" | "foreign" | "unknown", id: string, peer: InstanceId | null): void {
    this.#counters[why]++;
    const who = peer === null ? null : this.#core.system.textOf(peer);
    this.#core.system.logger.warn("an ACK arrived that no wait expects", { why, id, peer: who });
  }

  /** Remembers how later ACKs for it are counted. */
  #over(ack: PendingAck, why: "late" | "duplicate"): void {
    if (this.#named.get(ack.text) === ack) this.#named.delete(ack.text);
    if (this.#remembered.has(ack.text)) return;
    this.#remembered.set(ack.text, why);
    if (this.#remembered.size <= maxRemembered) return;
    for (const oldest of this.#remembered.keys()) return void this.#remembered.delete(oldest);
  }

  #lost(peer: InstanceId, rest: "up" | "down" | "gone"): void {
    if (rest === "up" || this.#counters.waiting === 0) return;
    const who = this.#core.system.textOf(peer);
    this.#table.failWhere((call) => {
      if (!(call instanceof PendingAck) || !call.armed || call.peer !== peer) return undefined;
      const why = `Peer ${who} was lost before its ACK ${call.text} came`;
      return new ZeromeshError("PEER_DISCONNECTED", why, { peer, ran: "maybe" });
    });
  }
}

/**
 * Sends the ACK that a message requests with `_ack_id` in its JSON payload. To be called in the handler; awaited work
 * may come first.
 *
 * @returns Whether the message requested one. Resolves when the sender's queue holds it.
 * @throws {ZeromeshError} `PEER_UNKNOWN` when the sender is not known.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(amHandler("compute_task", async (context) => {
 *   await compute(context.json());
 *   await acknowledge(context);
 * }));
 * ```
 */
export async function acknowledge(context: HandlerContext, given?: SendAckOptions): Promise<boolean> {
  const options = readOptions(given, sendAckOptionTable, "Cannot send an ACK");
  let id: unknown;
  try {
    id = Reflect.get(Object(context.json()), ackField);
  } catch { /* no JSON */ }
  if (typeof id !== "string") return false;
  const sender = context.senderInstanceId;
  if (sender === null) {
    const why = `Cannot send ACK ${id}: the sender of its message is not known`;
    throw new ZeromeshError("PEER_UNKNOWN", why, { handler: context.handlerName });
  }
  await context.messenger.sendAck(sender, id, options);
  return true;
}
