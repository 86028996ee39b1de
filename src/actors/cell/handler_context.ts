import type { InstanceId } from "../../core/mod.ts";
import type { HandlerTrace } from "../../messenger/mod.ts";
import type { DeferredReply } from "../definition/context.ts";
import { type BytesContract, bytesContract } from "../contract/contract.ts";
import type { ActorRef } from "../references/actor_ref.ts";
import type { Origin, Turn, TurnCell } from "./parts.ts";
import { noChain, noHeaders } from "./origin.ts";
import { SelfContext } from "./self_context.ts";

/** Parts of a context that handlers rarely use. */
class Made {
  controller: AbortController | null = null;
  aborted: { readonly reason: unknown } | null = null;
  origin: Origin | null = null;
}

/** The context of one turn. Everything but the actor and the turn is made on first use. */
export class HandlerContext extends SelfContext {
  readonly #turn: Turn;
  #made: Made | null = null;

  constructor(cell: TurnCell, turn: Turn) {
    super(cell, cell.turnNumber);
    this.#turn = turn;
  }

  get sender(): ActorRef<BytesContract> | null {
    const { sender } = this.#turn.origin;
    return sender === null ? null : this.ref(bytesContract, sender);
  }

  get senderInstance(): InstanceId {
    return this.#turn.origin.instance;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#turn.origin.headers;
  }

  protected override get trace(): HandlerTrace | null {
    const { trace } = this.#turn.origin;
    return trace === null ? null : trace.inherited;
  }

  protected get deadlineAt(): number {
    return this.#turn.origin.deadlineAt;
  }

  get remainingMs(): number {
    const { deadlineAt } = this;
    return deadlineAt === Infinity ? Infinity : Math.max(0, deadlineAt - this.cell.host.clock.now());
  }

  get signal(): AbortSignal {
    const made = this.#made ??= new Made();
    if (made.controller === null) {
      made.controller = new AbortController();
      if (made.aborted !== null) made.controller.abort(made.aborted.reason);
    }
    return made.controller.signal;
  }

  deferred(): readonly DeferredReply[] {
    return [...this.cell.replies ?? []] as unknown as DeferredReply[];
  }

  override get waiting(): boolean {
    return this.cell.current === this.#turn;
  }

  /** Aborts the handler's signal. */
  abort(reason: unknown): void {
    const made = this.#made ??= new Made();
    if (made.aborted !== null) return;
    made.aborted = { reason };
    made.controller?.abort(reason);
  }

  override originFor(kind: "tell" | "ask" | "open"): Origin {
    const { address, host } = this.cell;
    const { deadlineAt } = this;
    const { chain } = this.#turn.origin;
    const own = (this.#made ??= new Made()).origin ??= {
      sender: address,
      instance: host.instanceId,
      headers: noHeaders,
      deadlineAt,
      chain: noChain,
      trace: this.trace,
    };
    return kind === "tell" || !this.waiting ? own : { ...own, chain: [...chain, this.link] };
  }
}
