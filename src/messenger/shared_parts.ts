import type { Deadlines, InstanceId } from "../core/mod.ts";
import type { DropCounters, Transport } from "../transport/mod.ts";
import type { ResponseKind } from "../wire/mod.ts";
import type { CallTable } from "./calls/pending.ts";
import type { PartOfCall } from "./calls/spent.ts";
import type { WaitOptions } from "./calls/wait_options.ts";
import type { CreditCounts } from "./credit/send_credit.ts";
import type { ResolvedOptions } from "./option_table.ts";
import type { Session, Terms } from "./peers/peer.ts";
import type { StatusFeed } from "./peers/status.ts";

/** A call of a system handler. */
export interface SystemRequest extends WaitOptions, PartOfCall {
  /** The payload. @default {an empty one} */
  readonly payload?: Uint8Array;
  /** What the caller waits for. @default {an answer} */
  readonly kind?: ResponseKind;
  /** Whether the handler has the admission of a user's. */
  readonly admitted?: boolean;
  /** The connection to use, instead of the one for calls. */
  readonly session?: Session;
}

/** What the parts of one messenger have in common: its options, and what all of them stand on. */
export interface SharedParts extends Omit<ResolvedOptions, "instanceId"> {
  /** The own id. */
  readonly instanceId: InstanceId;
  /** Whether connections need keys. */
  readonly secure: boolean;
  /** The network. */
  readonly transport: Transport<Session>;
  /** Counts what is dropped. */
  readonly drops: DropCounters;
  /** Deadlines of calls. */
  readonly deadlines: Deadlines;
  /** Everything that waits for an answer. */
  readonly calls: CallTable;
  /** Where credit is counted. */
  readonly creditCounts: CreditCounts;
  /** What this instance says about itself. */
  readonly negotiation: Terms;
  /** Where changes are told. */
  readonly status: StatusFeed;
  /** Calls a system handler of a peer. It never throws: what is wrong rejects. */
  call(name: string, to: InstanceId, request: SystemRequest): Promise<Uint8Array>;
  /** Aborts when the instance closes. */
  readonly closing: AbortSignal;
}
