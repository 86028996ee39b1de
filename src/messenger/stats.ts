import type { Faults } from "../core/mod.ts";
import type { TransportStats } from "../transport/mod.ts";
import type { DispatchStats } from "./handlers/dispatch_stats.ts";
import type { CallStats } from "./calls/call_stats.ts";
import type { StrangerDialStats } from "./velo/reply_links.ts";
import type { CreditStats } from "./credit/send_credit.ts";
import type { StagedStats } from "./velo/staged_requests.ts";

/** Counters of a messenger. */
export interface MessengerStats {
  /** Known peers. */
  readonly peers: number;
  /** Connections to addresses of unregistered peers, over which plain Velo is answered. */
  readonly strangerDials: StrangerDialStats;
  /** Calls of this instance. */
  readonly calls: CallStats;
  /** Messages for this instance's handlers. */
  readonly handlers: DispatchStats;
  /** Messages that wait for their receivers' handlers, and grants of credit. */
  readonly credit: CreditStats;
  /** Requests of plain Velo peers whose payload is fetched. */
  readonly staged: StagedStats;
  /** Connections, queues and drops. */
  readonly transport: TransportStats;
  /** Failures of user code: loggers, meters, tracers, policies, limits, `allow`. */
  readonly faults: Faults;
}
