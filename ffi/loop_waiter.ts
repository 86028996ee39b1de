import { errorText } from "../src/core/mod.ts";
import type { Waiter, WaiterOptions } from "./backend.ts";
import { slicer } from "./loop_descriptor.ts";
import { type PollSet, pollSet } from "./poll_set.ts";
import type { System } from "./symbols.ts";
import { type ParkFactory, ParkingWaiter, readWaiterOptions } from "./waiter.ts";
import { workerPark } from "./worker_waiter.ts";

/** A runtime's wait in its own event loop. */
export interface LoopWait {
  /** See {@link Waiter.fairImmediate}. */
  readonly fairImmediate: boolean;
  /** Source text that opens C functions in the worker of `worker_waiter.ts`. */
  readonly prelude: string;
  /** Waits in the loop. */
  readonly park: ParkFactory;
  /**
   * Tests the wait, and looks for the descriptor of this thread's loop.
   *
   * @param set A poll set for the test, which the caller closes.
   * @param found Called with the descriptor, or −1.
   * @returns Null if waiting in the loop works, otherwise why not.
   */
  probe(set: PollSet, found: (descriptor: number) => void): Promise<string | null>;
}

interface LoopProbe {
  readonly refusal: string | null;
  readonly descriptor: number;
}

/** The result of this thread's probe. */
let probed: Promise<LoopProbe> | undefined;

async function probe(system: System, wait: LoopWait): Promise<LoopProbe> {
  const set = pollSet(system);
  let descriptor = -1;
  try {
    return { refusal: await wait.probe(set, (found) => descriptor = found), descriptor };
  } catch (error) {
    return { refusal: errorText(error), descriptor };
  } finally {
    set.close();
  }
}

/** Makes a waiter after this thread's probe; the fallback finds its functions in `library`. */
export async function loopWaiter(
  { system, wait }: { readonly system: System; readonly wait: LoopWait },
  library: string,
  given: WaiterOptions,
): Promise<Waiter> {
  const options = readWaiterOptions(given);
  const inWorker = workerPark({ prelude: wait.prelude, library });
  const kind = options.kind ?? "auto";
  const { refusal, descriptor } = await (probed ??= probe(system, wait).catch((error: unknown) => {
    // A shortage may be over the next time.
    probed = undefined;
    throw error;
  }));
  const set = pollSet(system);
  const slice = system.platform === "linux" && descriptor >= 0
    ? slicer(system, { ours: set.fd, loop: descriptor })
    : undefined;
  const first = kind === "worker" || (kind === "auto" && refusal !== null) ? inWorker : wait.park;
  const fallback = kind === "auto" ? inWorker : undefined;
  return ParkingWaiter.open({ set, slice, fallback, fairImmediate: wait.fairImmediate }, first, options);
}
