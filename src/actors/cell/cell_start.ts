import type { ActorId } from "../references/address.ts";
import type { Behaviour } from "../definition/behaviour.ts";
import type { MailboxLimits } from "./mailbox.ts";
import type { CellHost } from "./parts.ts";
import type { SupervisionOptions } from "../options/supervision_options.ts";

/** What an actor was started with, for its restarts. */
export interface CellStart {
  /** The argument of `init`. */
  readonly args: unknown;
  /** Time for `init`, in milliseconds. */
  readonly timeoutMs: number;
  /** Supervision, before that of the definition. */
  readonly supervision: SupervisionOptions | undefined;
}

/** What a cell begins with. */
export interface CellParts<Parent> {
  readonly host: CellHost;
  readonly id: ActorId;
  readonly name: string | null;
  readonly behaviour: Behaviour;
  readonly mailbox: MailboxLimits;
  readonly start: CellStart;
  readonly parent: Parent | null;
}
