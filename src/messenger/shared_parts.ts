import type { Deadlines, InstanceId } from "../core/mod.ts";
import type { DropCounters, Transport } from "../transport/mod.ts";
import type { ResponseKind } from "../wire/mod.ts";
import type { CallTable } from "./calls/pending.ts";
import type { PartOfCall } from "./calls/elapsed.ts";
import type { WaitOptions } from "./calls/wait_options.ts";
import type { CreditCounts } from "./credit/send_credit.ts";
import type { ResolvedOptions } from "./core_option_table.ts";
import type { Session, Terms } from "./peers/peer.ts";
import type { StatusFeed } from "./peers/status.ts";

/** A call of a system handler. */
export interface SystemRequest extends WaitOptions, PartOfCall {
  /** The payload. @default {an empty one} */
  readonly payload?: Uint8Array;
  /** The awaited reply. @default {an answer} */
  readonly kind?: ResponseKind;
  /** Whether the handler has the admission of a user's. */
  readonly admitted?: boolean;
  /** The connection to use, instead of the one for calls. */
  readonly session?: Session;
}

/** The parts that all components of a messenger share, with its options. */
export interface SharedParts extends Omit<ResolvedOptions, "instanceId"> {
  /** This instance's id. */
  readonly instanceId: InstanceId;
  /** Whether connections need keys. */
  readonly secure: boolean;
  /** The transport. */
  readonly transport: Transport<Session>;
  /** Counts drops. */
  readonly drops: DropCounters;
  /** Deadlines of calls. */
  readonly deadlines: Deadlines;
  /** The response table. */
  readonly calls: CallTable;
  /** Counters of credit. */
  readonly creditCounts: CreditCounts;
  /** This instance's part of the negotiation. */
  readonly negotiation: Terms;
  /** Changes of peers and handlers. */
  readonly status: StatusFeed;
  /** Calls a system handler of a peer. It never throws synchronously. */
  call(name: string, to: InstanceId, request: SystemRequest): Promise<Uint8Array>;
  /** Aborts when the instance closes. */
  readonly closing: AbortSignal;
}
