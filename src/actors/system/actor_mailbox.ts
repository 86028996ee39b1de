import {
  AsyncSource,
  Deque,
  type InstanceId,
  option,
  type OptionTable,
  type SchemaInput,
  type SchemaOutput,
} from "../../core/mod.ts";
import type { SelfContext } from "../cell/self_context.ts";
import type { ActorAddress } from "../references/address.ts";
import type { AcceptOptions, ActorChannel } from "../references/actor_channel.ts";
import type { Opening } from "../channels/opening.ts";
import type { ActorSelf, AskContext } from "../definition/context.ts";
import {
  type ActorContract,
  askSchemas,
  type BytesContract,
  channelSchemas,
  isActorContract,
  isBytes,
  tellSchema,
} from "../contract/contract.ts";
import {
  type ActorDefinition,
  askEntry,
  type Behaviour,
  behaviourOf,
  tellEntry,
} from "../definition/behaviour.ts";
import type { ActorRef, AskName, ChannelName, TellName } from "../references/actor_ref.ts";
import { actorNameOption, type MailboxOptions, mailboxOptionTable } from "../options/spawn_options.ts";

/** The options of `mailbox`. */
export interface ActorMailboxOptions<C extends ActorContract = ActorContract> extends MailboxOptions {
  /** A name, unique in the system. */
  name?: string | undefined;
  /** The contract of its messages. @default {none: it takes bytes, by whatever name} */
  contract?: C | undefined;
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

/** The options of `mailbox`. */
export const actorMailboxOptionTable: OptionTable<ActorMailboxOptions> = {
  ...mailboxOptionTable,
  name: actorNameOption,
  contract: option.kind("a contract made by actorContract()", isActorContract),
  signal: option.signal,
};

/** The part of a mailbox's messages that all kinds have. */
export interface MailboxEntry<Name extends string, Input> {
  /** The message's name. */
  readonly name: Name;
  /** The value. */
  readonly input: Input;
  /** The actor that sent it; null for others. */
  readonly sender: ActorRef<BytesContract> | null;
  /** The instance that sent it. */
  readonly senderInstance: InstanceId;
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A tell in an {@link ActorMailbox}. */
export interface MailboxTell<Name extends string, Input> extends MailboxEntry<Name, Input> {
  /** Tag of the union. */
  readonly kind: "tell";
}

/** An ask in an {@link ActorMailbox}. */
export interface MailboxAsk<Name extends string, Input, Output> extends MailboxEntry<Name, Input> {
  /** Tag of the union. */
  readonly kind: "ask";
  /** Aborts when the asker does not wait any more. */
  readonly signal: AbortSignal;
  /** Answers. @returns Whether the asker still waited. */
  reply(output: Output): boolean;
  /** Fails the ask with `HANDLER_FAILED`. @returns Whether the asker still waited. */
  fail(error: unknown): boolean;
}

/** A channel that is opened to an {@link ActorMailbox}. */
export interface MailboxOpen<Name extends string, In, Out> extends MailboxEntry<Name, In> {
  /** Tag of the union. */
  readonly kind: "open";
  /** The channel's id. */
  readonly id: string;
  /** The actor that opens it, or the instance of an outside client. */
  readonly opener: ActorAddress | InstanceId;
  /** Opens the channel, whose items are iterated. If its opener has given up, the result is closed already. */
  accept(first?: Out, options?: AcceptOptions): ActorChannel<Out, In>;
  /** Refuses it: the opener gets `ACTOR_CHANNEL_REJECTED` with the reason. */
  reject(reason: string): void;
}

/** A message in an {@link ActorMailbox}. */
export type MailboxMessage<C extends ActorContract = BytesContract> =
  | { [K in TellName<C>]: MailboxTell<K, SchemaOutput<C["tell"][K]>> }[TellName<C>]
  | {
    [K in AskName<C>]: MailboxAsk<
      K,
      SchemaOutput<C["ask"][K]["input"]>,
      SchemaInput<C["ask"][K]["output"]>
    >;
  }[AskName<C>]
  | {
    [K in ChannelName<C>]: MailboxOpen<
      K,
      SchemaOutput<C["channel"][K]["fromOpener"]>,
      SchemaInput<C["channel"][K]["toOpener"]>
    >;
  }[ChannelName<C>];

/** The actor behind a mailbox. */
export interface MailboxHost<C extends ActorContract> {
  /** Its reference. */
  readonly ref: ActorRef<C>;
  /** What it sends with. */
  readonly context: ActorSelf;
  /** Whether its messages wait although it is running. */
  hold(held: boolean): void;
  /** Ends it. */
  stop(): Promise<unknown>;
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>;
}

/**
 * An actor without a definition: its messages are iterated. Each step of the loop takes one out of the actor's mailbox,
 * and leaving the loop ends the actor.
 *
 * @example Usage
 * ```ts
 * import { ActorSystem } from "zeromesh/actors";
 *
 * await using system = ActorSystem.local();
 * await using box = await system.mailbox({ name: "box" });
 * const answer = box.ref.ask("upper", new TextEncoder().encode("hi"));
 * for await (const message of box) {
 *   if (message.kind === "ask") message.reply(message.input.map((byte) => byte - 32));
 *   break;
 * }
 * console.log(new TextDecoder().decode(await answer)); // HI
 * ```
 */
export class ActorMailbox<C extends ActorContract = BytesContract>
  implements AsyncIterableIterator<MailboxMessage<C>>, AsyncDisposable {
  readonly #host: MailboxHost<C>;
  readonly #messages: MailboxMessages<C>;

  /** Used by `ActorSystem.mailbox`. */
  constructor(host: MailboxHost<C>, inbox: MailboxInbox) {
    this.#host = host;
    this.#messages = new MailboxMessages(host, inbox);
  }

  /** Its reference. */
  get ref(): ActorRef<C> {
    return this.#host.ref;
  }

  /** Its side for sending, with this actor as sender: `tell`, `ask`, `open`, `ref`. */
  get context(): ActorSelf {
    return this.#host.context;
  }

  /** Resolves to the next message. */
  next(): Promise<IteratorResult<MailboxMessage<C>>> {
    return this.#messages.next();
  }

  /** Ends the actor. What waits for it fails with `ACTOR_STOPPED`. */
  async close(): Promise<void> {
    await this.#host.stop();
    this.#messages.end();
  }

  /** Ends the actor. */
  async return(): Promise<IteratorResult<MailboxMessage<C>>> {
    await this.close();
    return await this.#messages.return();
  }

  /** The mailbox itself: leaving the loop ends the actor. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** The messages that readers of a mailbox have asked its actor for. */
class MailboxMessages<C extends ActorContract> extends AsyncSource<MailboxMessage<C>> {
  readonly #host: MailboxHost<C>;
  readonly #messages = new Deque<MailboxMessage<C>>();
  /** Readers that wait. */
  #wanted = 0;

  constructor(host: MailboxHost<C>, inbox: MailboxInbox) {
    super();
    this.#host = host;
    inbox.receive = (message) => {
      if (--this.#wanted === 0) host.hold(true);
      this.#messages.push(message as MailboxMessage<C>);
      this.hand();
    };
    void host.ended.then(() => this.end());
  }

  override take(): MailboxMessage<C> | undefined {
    return this.#messages.shift();
  }

  override next(): Promise<IteratorResult<MailboxMessage<C>>> {
    const next = super.next();
    if (!this.ended && this.#wanted++ === 0) this.#host.hold(false);
    return next;
  }
}

/** Where a mailbox's messages go. */
export interface MailboxInbox {
  /** Takes a message; set when the mailbox is there. */
  receive: (message: MailboxMessage<ActorContract>) => void;
}

/** The definition of the actor behind a mailbox. */
export function mailboxDefinition(contract: ActorContract, inbox: MailboxInbox): ActorDefinition {
  const bytes = isBytes(contract);
  const tell = (name: string) => (context: unknown, input: unknown): void => {
    const { sender, senderInstance, headers } = context as AskContext;
    inbox.receive({ kind: "tell", name, input, sender, senderInstance, headers });
  };
  const ask = (name: string) => (context: unknown, input: unknown): void => {
    const { sender, senderInstance, headers } = context as AskContext;
    const reply = (context as AskContext).defer();
    inbox.receive({
      kind: "ask",
      name,
      input,
      sender,
      senderInstance,
      headers,
      // Made on demand.
      get signal() {
        return reply.signal;
      },
      reply: (output) => reply.send(output),
      fail: (error) => reply.fail(error),
    });
  };
  const open = (name: string) => (context: unknown, opening: Opening, input: unknown): void => {
    const { sender, senderInstance, headers } = context as AskContext;
    inbox.receive({
      kind: "open",
      name,
      input: input as never,
      sender,
      senderInstance,
      headers,
      id: opening.id,
      opener: opening.opener,
      accept: (first, options) =>
        opening.acceptIterated(first, options) as unknown as ActorChannel<never, never>,
      reject: (reason) => opening.reject(reason),
    });
  };
  const behaviour: Behaviour = {
    contract,
    version: 1,
    bytes,
    stateSchema: null,
    // A message that came before there is a reader waits.
    init: (_args: unknown, context: SelfContext) => context.cell.holdBack(true),
    migrate: null,
    migrateBack: null,
    onStop: null,
    onChildEnd: null,
    supervision: undefined,
    tell: (name) => {
      const schema = tellSchema(contract, name);
      return schema === null ? undefined : tellEntry(name, tell(name), schema, behaviour.tell);
    },
    ask: (name) => {
      const schemas = askSchemas(contract, name);
      if (schemas === null) return undefined;
      return askEntry(tellEntry(name, ask(name), schemas.input, behaviour.ask), schemas.output);
    },
    channel: (name) =>
      channelSchemas(contract, name) === null
        ? undefined
        : { open: open(name) as never, message: null, end: null, close: null },
  };
  return Object.freeze({ contract, version: 1, [behaviourOf]: Object.freeze(behaviour) });
}
