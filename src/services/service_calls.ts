import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import {
  type BaseCallOptions,
  type Destination,
  type DestinationRouter,
  elapsedMs,
  elapsedOf,
  type PartOfCall,
  type RouterHost,
  type ToDestination,
} from "../messenger/mod.ts";
import type { ServiceDirectory } from "./service_directory.ts";
import { isService, type ServiceTarget } from "./service_target.ts";

/** The parts of {@link ServiceCalls}. */
export interface ServiceCallsParts extends Omit<RouterHost, "peers"> {
  /** Chooses instances; null without discovery. */
  readonly directory: ServiceDirectory | null;
}

/** Directs calls for a service to one of its instances. The call's deadline covers the choice, too. */
export class ServiceCalls implements DestinationRouter {
  readonly #parts: ServiceCallsParts;

  constructor(parts: ServiceCallsParts) {
    this.#parts = parts;
  }

  /**
   * Calls one instance. A call that the instance did not begin, because it shuts down or was lost, goes to another one
   * within the deadline; other failures are the caller's to retry.
   */
  start<T, O extends BaseCallOptions>(
    options: ToDestination<O>,
    call: (options: O & { to: InstanceId }) => Promise<T>,
  ): Promise<T> {
    try {
      const { signal } = options;
      const { calls, clock } = this.#parts;
      const { target, directory } = this.#find(options.to, "an instance id or service(name)");
      const { timeoutMs = this.#parts.timeoutMs } = options;
      const before = elapsedOf(options);
      const startedAt = clock.now() - before;
      const send = (to: InstanceId, spent: number): Promise<T> => {
        const part: PartOfCall = { [elapsedMs]: spent };
        const sent = call({ ...options, to, timeoutMs, ...part } as unknown as O & { to: InstanceId });
        // One chain of promises, so that an error's stack is complete: no other code may wait for one of them.
        return directory.track(to, sent).catch((error) => {
          const gone = clock.now() - startedAt;
          if (!isGivenBack(error) || signal?.aborted || gone >= timeoutMs) throw error;
          calls.repeated++;
          return later(gone);
        });
      };
      const later = async (spent: number): Promise<T> => {
        const find = (over: AbortSignal) => directory.pickLater(target, over);
        const to = await this.#found(directory, target, timeoutMs, spent, signal, find);
        return await send(to, clock.now() - startedAt);
      };
      const picked = directory.pickNow(target);
      return picked === null ? later(before) : send(picked, before);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The instances that offer a service, and the elapsed part of the deadline. */
  async instances(
    options: { to: Destination; timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<{ instances: InstanceId[]; spent: PartOfCall }> {
    const { clock } = this.#parts;
    const { signal, timeoutMs = this.#parts.timeoutMs } = options;
    const { target, directory } = this.#find(options.to, "service(name)");
    const startedAt = clock.now();
    const instances = await this.#found(directory, target, timeoutMs, 0, signal, (over) => {
      return directory.instances(target, over);
    });
    return { instances, spent: { [elapsedMs]: clock.now() - startedAt } };
  }

  /** @throws {TypeError} If the destination is not a service, or there is no discovery. */
  #find(to: Destination, rule: string): { target: ServiceTarget; directory: ServiceDirectory } {
    if (!isService(to)) throw new TypeError(`Cannot send: "to" must be ${rule}`);
    const { directory } = this.#parts;
    if (directory !== null) return { target: to, directory };
    throw new TypeError(`Cannot call service "${to.service}": create the messenger with discovery`);
  }

  /** Runs a query of the directory within the deadline. */
  async #found<T>(
    directory: ServiceDirectory,
    target: ServiceTarget,
    timeoutMs: number,
    spent: number,
    signal: AbortSignal | undefined,
    find: (over: AbortSignal) => Promise<T>,
  ): Promise<T> {
    // An entry in the response table ends with the deadline, the signal and the messenger, like a call.
    const { calls } = this.#parts;
    const wait = calls.open(undefined, `service ${target.service}`, timeoutMs, signal, null, spent);
    const over = new AbortController();
    if (!wait.settled) find(over.signal).then((found) => wait.succeed(found), (error) => wait.fail(error));
    try {
      return await wait.promise as T;
    } catch (error) {
      if (!(error instanceof ZeromeshError) || error.code !== "TIMEOUT") throw error;
      throw directory.unavailable(target, timeoutMs, "TIMEOUT");
    } finally {
      over.abort();
    }
  }
}

/** Whether an instance certainly did not begin a call because it shuts down or was lost. */
function isGivenBack(error: unknown): boolean {
  return error instanceof ZeromeshError && error.ran === "no" &&
    (error.code === "PEER_DRAINING" || error.code === "PEER_DISCONNECTED");
}
