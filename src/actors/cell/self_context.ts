import { type InstanceId, readOptions } from "../../core/mod.ts";
import type { HandlerTrace } from "../../messenger/mod.ts";
import type { ActorAddress, ActorId } from "../references/address.ts";
import type { ActorChannel, ChannelSide, ChannelStatus } from "../references/actor_channel.ts";
import type { ActorSelf } from "../definition/context.ts";
import { type ActorContract, type BytesContract, bytesContract } from "../contract/contract.ts";
import type { ActorDefinition } from "../definition/behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import { notChild } from "../failures.ts";
import { type StopOptions, stopOptionTable } from "../options/system_options.ts";
import type { ActorRef } from "../references/actor_ref.ts";
import type { SpawnOptions } from "../options/spawn_options.ts";
import { noChain, noHeaders } from "./origin.ts";
import type { Origin, Sender, TurnCell } from "./parts.ts";

/** The context of `init` and `onStop`, and the part of every handler's context that needs no message. */
export class SelfContext implements Sender {
  readonly cell: TurnCell;
  /** The number of the turn, or of the run of `init` or `onStop`. */
  readonly #number: number;

  /** @param number See {@link TurnCell.runningTurn}; -2 for what is no part of a turn. */
  constructor(cell: TurnCell, number: number) {
    this.cell = cell;
    this.#number = number;
  }

  get self(): ActorRef<BytesContract> {
    return this.ref(bytesContract, this.cell.address);
  }

  get id(): ActorId {
    return this.cell.id;
  }

  get name(): string | null {
    return this.cell.name;
  }

  get instance(): InstanceId {
    return this.cell.host.instanceId;
  }

  get state(): unknown {
    return this.cell.state;
  }

  set state(state: unknown) {
    this.cell.state = state;
  }

  get waiting(): boolean {
    return this.cell.runningTurn === this.#number;
  }

  /** The trace of what it sends; null without one. */
  protected get trace(): HandlerTrace | null {
    return null;
  }

  /** Its link in a chain of asks. */
  protected get link(): string {
    return `${this.cell.address}#${this.#number}`;
  }

  ref<C extends ActorContract>(contract: C, address: string | ActorAddress): ActorRef<C> {
    return this.cell.host.refTo(contract, address, this);
  }

  tell(ref: ActorAddress, name: string, input?: unknown, options?: object): Promise<void> {
    return this.cell.host.tell(ref, name, input, options, this);
  }

  ask(ref: ActorAddress, name: string, input?: unknown, options?: object): Promise<unknown> {
    return this.cell.host.ask(ref, name, input, options, this);
  }

  open(ref: ActorAddress, name: string, first?: unknown, options?: object): Promise<ActorChannel> {
    return this.cell.host.open(ref, name, first, options, this);
  }

  channel(id: string): ChannelSide<unknown> {
    return this.cell.host.channels.sideOf(this.cell, id);
  }

  channels(): readonly ChannelStatus[] {
    return this.cell.host.channels.listOf(this.cell);
  }

  spawn(definition: ActorDefinition, options?: SpawnOptions): Promise<ActorRef> {
    return this.cell.host.spawn(definition, options, this.cell, this.waiting);
  }

  children(): readonly ActorRef<BytesContract>[] {
    return this.cell.host.children(this.cell).map(({ address }) => this.ref(bytesContract, address));
  }

  // deno-lint-ignore require-await -- a wrong address rejects
  async stopChild(ref: ActorAddress, options?: StopOptions): Promise<ActorEnd> {
    const { timeoutMs } = readOptions(options, stopOptionTable, "Cannot stop a child");
    const { target, instance } = ref;
    const child = this.cell.host.children(this.cell).find(({ id, name, host }) =>
      host.instanceId === instance && (id === target || name === target)
    );
    if (child === undefined) throw notChild(ref.address, this.cell);
    return child.stop({ reason: "stopped" }, timeoutMs);
  }

  watch(ref: ActorAddress, ended: (end: ActorEnd, context: ActorSelf) => unknown): Disposable {
    return this.cell.host.watch(ref, this.cell, ended, this.trace);
  }

  stop(result?: unknown): void {
    void this.cell.stop({ reason: "finished", result });
  }

  after(ms: number, run: (context: ActorSelf) => unknown): Disposable {
    return this.cell.host.timer(this.cell, ms, run, false);
  }

  every(ms: number, run: (context: ActorSelf) => unknown): Disposable {
    return this.cell.host.timer(this.cell, ms, run, true);
  }

  originFor(kind: "tell" | "ask" | "open"): Origin {
    const { address, host } = this.cell;
    return {
      sender: address,
      instance: host.instanceId,
      headers: noHeaders,
      deadlineAt: Infinity,
      chain: kind === "tell" || !this.waiting ? noChain : [this.link],
      trace: null,
    };
  }
}

// Handlers of users get the methods with the types of their contracts.
SelfContext.prototype satisfies Pick<ActorSelf, "id" | "name" | "instance">;
