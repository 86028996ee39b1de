import { type Clock, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { BaseCallOptions } from "./caller.ts";
import type { CallTable } from "./pending.ts";
import type { ServiceRouter, ServiceTarget } from "./service_target.ts";
import { type PartOfCall, spentMs, spentOf } from "./spent.ts";

/** What {@link ServiceCalls} works with. */
export interface ServiceCallsParts {
  /** Where a call waits until it has a destination. */
  readonly calls: CallTable;
  /** Chooses instances; null without discovery. */
  readonly router: ServiceRouter | null;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Deadline of a call that names none. */
  readonly timeoutMs: number;
}

/** Whether a call goes to a service. */
export function isToService<O extends BaseCallOptions>(options: O): options is O & { to: ServiceTarget } {
  const to: unknown = options?.to;
  return typeof to === "object" && to !== null && typeof (to as ServiceTarget).service === "string";
}

/** Turns calls to a service into calls to one of its instances. The deadline covers both. */
export class ServiceCalls {
  readonly #parts: ServiceCallsParts;

  /** @param parts What it works with. */
  constructor(parts: ServiceCallsParts) {
    this.#parts = parts;
  }

  /**
   * Calls one instance. A call that it gave back, because it shuts down or was lost before it had the call, goes to
   * another one within the deadline; any other that fails is the caller's to repeat.
   */
  start<T, O extends BaseCallOptions>(
    options: O & { to: ServiceTarget },
    call: (options: O & { to: InstanceId }) => Promise<T>,
  ): Promise<T> {
    const { to: target, signal } = options;
    const { router, calls, clock } = this.#parts;
    if (router === null) return Promise.reject(withoutDiscovery(target));
    try {
      const { timeoutMs = this.#parts.timeoutMs } = options;
      const before = spentOf(options);
      const startedAt = clock.now() - before;
      const send = (to: InstanceId, spent: number): Promise<T> => {
        const part: PartOfCall = { [spentMs]: spent };
        const sent = call({ ...options, to, timeoutMs, ...part } as unknown as O & { to: InstanceId });
        // One line of promises, along which the stack of an error is found: nothing else may wait for one of them.
        return router.track(to, sent).catch((error) => {
          const gone = clock.now() - startedAt;
          if (!isGivenBack(error) || signal?.aborted || gone >= timeoutMs) throw error;
          calls.repeated++;
          return later(gone);
        });
      };
      const later = async (spent: number): Promise<T> => {
        const find = (over: AbortSignal) => router.pickLater(target, over);
        const to = await this.#found(router, target, timeoutMs, spent, signal, find);
        return await send(to, clock.now() - startedAt);
      };
      const picked = router.pickNow(target);
      return picked === null ? later(before) : send(picked, before);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The instances that offer a service now, and how much of the deadline is gone. */
  async instances(
    options: { to: ServiceTarget; timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<{ instances: InstanceId[]; spent: PartOfCall }> {
    const { router, clock } = this.#parts;
    const { to: target, signal, timeoutMs = this.#parts.timeoutMs } = options;
    if (router === null) throw withoutDiscovery(target);
    const startedAt = clock.now();
    const instances = await this.#found(router, target, timeoutMs, 0, signal, (over) => {
      return router.instances(target, over);
    });
    return { instances, spent: { [spentMs]: clock.now() - startedAt } };
  }

  /** What the router finds in time. */
  async #found<T>(
    router: ServiceRouter,
    target: ServiceTarget,
    timeoutMs: number,
    spent: number,
    signal: AbortSignal | undefined,
    find: (over: AbortSignal) => Promise<T>,
  ): Promise<T> {
    // An entry in the table ends with the deadline, the caller's signal and the messenger, like any call.
    const { calls } = this.#parts;
    const wait = calls.open(undefined, `service ${target.service}`, timeoutMs, signal, null, spent);
    const over = new AbortController();
    if (!wait.settled) find(over.signal).then((found) => wait.succeed(found), (error) => wait.fail(error));
    try {
      return await wait.promise as T;
    } catch (error) {
      if (!(error instanceof ZeromeshError) || error.code !== "TIMEOUT") throw error;
      throw router.unavailable(target, timeoutMs, "TIMEOUT");
    } finally {
      over.abort();
    }
  }
}

/** Whether an instance certainly did not begin with a call because it shuts down or was lost. */
function isGivenBack(error: unknown): boolean {
  return error instanceof ZeromeshError && error.ran === "no" &&
    (error.code === "PEER_DRAINING" || error.code === "PEER_DISCONNECTED");
}

function withoutDiscovery({ service }: ServiceTarget): TypeError {
  return new TypeError(`Cannot call service "${service}": create the messenger with discovery`);
}
