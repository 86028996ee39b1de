import type { InstanceId, Timed } from "../../core/mod.ts";
import type { PeerDirectory } from "../discovery_port.ts";
import type { BaseCallOptions } from "./caller.ts";
import type { Destination } from "./destination.ts";
import type { CallTable } from "./pending.ts";
import type { PartOfCall } from "./spent.ts";

/** Options of a call to a destination. */
export type ToDestination<O extends BaseCallOptions> = O & { to: Destination };

/** Turns calls to destinations into calls to instances. The deadline of a call covers both. */
export interface DestinationRouter {
  /** Makes one call: to the instance that is chosen for it. */
  start<T, O extends BaseCallOptions>(
    options: ToDestination<O>,
    call: (options: O & { to: InstanceId }) => Promise<T>,
  ): Promise<T>;
  /** All instances of a destination, and how much of the deadline it took to find them. */
  instances(
    options: { to: Destination; timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<{ instances: InstanceId[]; spent: PartOfCall }>;
}

/** What a {@link DestinationRouter} is made with. */
export interface RouterHost extends Timed {
  /** Where a call waits until it has an instance. */
  readonly calls: Pick<CallTable, "open"> & { repeated: number };
  /** Who is connected. */
  readonly peers: PeerDirectory;
  /** Deadline of a call that names none, in milliseconds. */
  readonly timeoutMs: number;
}
