import type { InstanceId, Timed } from "../../core/mod.ts";
import type { PeerDirectory } from "../discovery_port.ts";
import type { BaseCallOptions } from "./caller.ts";
import type { Destination } from "./destination.ts";
import type { CallTable } from "./pending.ts";
import type { PartOfCall } from "./elapsed.ts";

/** Options of a call to a destination. */
export type ToDestination<O extends BaseCallOptions> = O & { to: Destination };

/** Directs calls for destinations to instances. A call's deadline covers the choice, too. */
export interface DestinationRouter {
  /** Makes one call to a chosen instance. */
  start<T, O extends BaseCallOptions>(
    options: ToDestination<O>,
    call: (options: O & { to: InstanceId }) => Promise<T>,
  ): Promise<T>;
  /** All instances of a destination, and the elapsed part of the deadline. */
  instances(
    options: { to: Destination; timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<{ instances: InstanceId[]; spent: PartOfCall }>;
}

/** The parts of a {@link DestinationRouter}. */
export interface RouterHost extends Timed {
  /** The response table, for calls that wait for an instance. */
  readonly calls: Pick<CallTable, "open"> & { repeated: number };
  /** The peers. */
  readonly peers: PeerDirectory;
  /** Default deadline in milliseconds. */
  readonly timeoutMs: number;
}
