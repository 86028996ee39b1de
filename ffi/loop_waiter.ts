import { errorText } from "../src/core/mod.ts";
import type { Waiter, WaiterOptions } from "./backend.ts";
import { slicer } from "./loop_descriptor.ts";
import { type PollSet, pollSet } from "./poll_set.ts";
import type { System } from "./symbols.ts";
import { type ParkFactory, ParkingWaiter, readWaiterOptions } from "./waiter.ts";
import { workerPark } from "./worker_waiter.ts";

/** How one runtime waits in its own event loop. */
export interface LoopWait {
  /** See {@link Waiter.fairImmediate}. */
  readonly fairImmediate: boolean;
  /** How the runtime opens C functions in the worker of `worker_waiter.ts`: source text. */
  readonly prelude: string;
  /** Waits in the loop. */
  readonly park: ParkFactory;
  /**
   * Tries it once, and looks for the descriptor of this thread's own loop.
   *
   * @param set A poll set of its own, which the caller closes after.
   * @param found Told the descriptor, or −1.
   * @returns Null when waiting in the loop works, otherwise why not.
   */
  probe(set: PollSet, found: (descriptor: number) => void): Promise<string | null>;
}

interface LoopProbe {
  readonly refusal: string | null;
  readonly descriptor: number;
}

/** What the probe of this thread found, once it ran. */
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

/** Makes a waiter, after the one probe of this thread; `library` is where the fallback finds its functions. */
export async function loopWaiter(
  { system, wait }: { readonly system: System; readonly wait: LoopWait },
  library: string,
  given: WaiterOptions,
): Promise<Waiter> {
  const options = readWaiterOptions(given);
  const inWorker = workerPark({ prelude: wait.prelude, library });
  const kind = options.kind ?? "auto";
  const { refusal, descriptor } = await (probed ??= probe(system, wait).catch((error: unknown) => {
    // What was short may be there the next time.
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
