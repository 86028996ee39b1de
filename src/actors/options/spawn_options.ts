import { option, type OptionTable, type Overflow } from "../../core/mod.ts";
import { type ActorId, isActorId, isActorName, maxActorNameLength } from "../references/address.ts";
import { type SupervisionOptions, supervisionOptionTable } from "./supervision_options.ts";

/** The limits of a mailbox. */
export interface MailboxOptions {
  /** Messages that wait. @default {1_024} */
  capacity?: number | undefined;
  /** Policy at `capacity`; `wait` holds the sender's promise. @default {"wait"} */
  overflow?: Overflow | undefined;
  /** Senders that wait for room; the next ones get `ACTOR_MAILBOX_FULL`. @default {1_024} */
  maxWaiting?: number | undefined;
}

/** The options of `spawn`. */
export interface SpawnOptions<Args = unknown> {
  /** A name, unique in the system. */
  name?: string | undefined;
  /** An id. @default {a new random UUID} */
  id?: ActorId | undefined;
  /** The argument of `init`. */
  args?: Args | undefined;
  /** Whether it takes the name of an actor that has it, which is stopped. @default {false} */
  replace?: boolean | undefined;
  /** The mailbox. */
  mailbox?: MailboxOptions | undefined;
  /** What meets failures, before what the definition says. */
  supervision?: SupervisionOptions | undefined;
  /** Time for `init`, in milliseconds. @default {30_000} */
  timeoutMs?: number | undefined;
  /** Gives up while `init` runs. */
  signal?: AbortSignal | undefined;
}

/** The arguments of `spawn` after the definition: `args` is required if `init` takes one. */
export type SpawnArguments<Args> = unknown extends Args ? [options?: SpawnOptions<Args>]
  : undefined extends Args ? [options?: SpawnOptions<Args>]
  : [options: SpawnOptions<Args> & { readonly args: Args }];

const places = option.whole(1, 2 ** 30);

/** The options of a mailbox. */
export const mailboxOptionTable = {
  capacity: places.or(1_024),
  overflow: option.oneOf("wait", "fail", "dropOldest", "dropNewest").or("wait"),
  maxWaiting: option.whole(0, 2 ** 30).or(1_024),
} satisfies OptionTable<MailboxOptions>;

/** An actor's name. */
export const actorNameOption = option.kind(
  `a name of 1 to ${maxActorNameLength} letters, digits and ._:/- that is no UUID`,
  isActorName,
);

/** The options of `spawn`. */
export const spawnOptionTable = {
  name: actorNameOption,
  id: option.kind("an actor's id", isActorId),
  args: option.value,
  replace: option.flag.or(false),
  mailbox: option.options(mailboxOptionTable),
  supervision: option.options(supervisionOptionTable),
  timeoutMs: option.timeout.or(30_000),
  signal: option.signal,
} satisfies OptionTable<SpawnOptions>;
