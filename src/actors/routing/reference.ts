import type { InstanceId } from "../../core/mod.ts";
import { type ActorAddress, type AddressParts, parseAddress } from "../references/address.ts";
import type { ActorChannel, OpenOptions } from "../references/actor_channel.ts";
import { type ActorContract, isBytes } from "../contract/contract.ts";
import type { ActorRef, AskOptions, TellOptions } from "../references/actor_ref.ts";
import type { Sender } from "../cell/parts.ts";

/** What a reference sends its messages with: a system, or the actors' client of a messenger without one. */
export interface Router {
  tell(
    to: Reference,
    name: string,
    input: unknown,
    options: TellOptions | undefined,
    sender: Sender | null,
  ): Promise<void>;
  ask(
    to: Reference,
    name: string,
    input: unknown,
    options: AskOptions | undefined,
    sender: Sender | null,
  ): Promise<unknown>;
  open(
    to: Reference,
    name: string,
    first: unknown,
    options: OpenOptions | undefined,
    sender: Sender | null,
  ): Promise<ActorChannel>;
}

/** The class of references. */
export class Reference implements ActorAddress {
  readonly contract: ActorContract;
  readonly target: string;
  readonly instance: InstanceId;
  /** Whether it takes and gives bytes: it has no contract. */
  readonly bytes: boolean;
  /** The actor of this process that it led to last; kept by the router. */
  found: object | null = null;
  readonly #router: Router;
  readonly #sender: Sender | null;
  #address: string | null = null;

  constructor(
    router: Router,
    contract: ActorContract,
    { target, instance }: AddressParts,
    sender: Sender | null,
  ) {
    this.#router = router;
    this.contract = contract;
    this.bytes = isBytes(contract);
    this.target = target;
    this.instance = instance;
    this.#sender = sender;
  }

  get address(): string {
    return this.#address ??= `${this.target}@${this.instance}`;
  }

  tell(name: string, input?: unknown, options?: TellOptions): Promise<void> {
    return this.#router.tell(this, name, input, options, this.#sender);
  }

  ask(name: string, input?: unknown, options?: AskOptions): Promise<unknown> {
    return this.#router.ask(this, name, input, options, this.#sender);
  }

  open(name: string, first?: unknown, options?: OpenOptions): Promise<ActorChannel> {
    return this.#router.open(this, name, first, options, this.#sender);
  }

  equals(other: ActorAddress | string): boolean {
    return this.address === (typeof other === "string" ? other : other.address);
  }

  toString(): string {
    return this.address;
  }

  toJSON(): string {
    return this.address;
  }
}

/** Makes a reference. */
export function makeRef<C extends ActorContract>(
  router: Router,
  contract: C,
  address: string | ActorAddress,
  sender: Sender | null,
): ActorRef<C> {
  const parts = typeof address === "object" && address !== null ? address : parseAddress(address);
  // The class takes names and values without the contract's types.
  return new Reference(router, contract, parts, sender) as unknown as ActorRef<C>;
}
