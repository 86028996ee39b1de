import { type Clock, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { BaseCallOptions } from "./caller.ts";
import { checkTimeout } from "../option_checks.ts";
import type { CallTable } from "./pending.ts";
import type { ServiceRouter, ServiceTarget } from "./service_target.ts";

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

  /** Calls one instance. A call is made once: one that fails is the caller's to repeat. */
  start<T, O extends BaseCallOptions>(
    options: O & { to: ServiceTarget },
    call: (options: O & { to: InstanceId }) => Promise<T>,
  ): Promise<T> {
    const { router } = this.#parts;
    const { to: target, signal } = options;
    if (router === null) {
      return Promise.reject(
        new TypeError(`Cannot call service "${target.service}": create the messenger with discovery`),
      );
    }
    const send = (to: InstanceId, timeoutMs: number | undefined): Promise<T> => {
      const sent = call({ ...options, to, timeoutMs } as unknown as O & { to: InstanceId });
      router.track(to, sent);
      return sent;
    };
    try {
      const picked = router.pickNow(target);
      if (picked !== null) return send(picked, options.timeoutMs);
      const timeoutMs = checkTimeout("timeoutMs", options.timeoutMs ?? this.#parts.timeoutMs);
      return this.#later(router, target, timeoutMs, signal, send);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #later<T>(
    router: ServiceRouter,
    target: ServiceTarget,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    send: (to: InstanceId, timeoutMs: number) => Promise<T>,
  ): Promise<T> {
    const { calls, clock } = this.#parts;
    const startedAt = clock.now();
    // An entry in the table ends with the deadline, the caller's signal and the messenger, like any call.
    const wait = calls.open(undefined, `service ${target.service}`, timeoutMs, signal, null);
    const over = new AbortController();
    if (!wait.settled) {
      router.pickLater(target, over.signal).then((id) => wait.succeed(id), (error) => wait.fail(error));
    }
    let id: InstanceId;
    try {
      id = await wait.promise as InstanceId;
    } catch (error) {
      if (!(error instanceof ZeromeshError) || error.code !== "TIMEOUT") throw error;
      throw router.unavailable(target, timeoutMs, "TIMEOUT");
    } finally {
      over.abort();
    }
    return await send(id, timeoutMs - (clock.now() - startedAt));
  }
}
