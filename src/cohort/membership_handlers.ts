import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type Handler, portOf, typedUnaryHandler } from "../messenger/mod.ts";
import type { CohortMessenger } from "./options.ts";
import { registerHandlers } from "./register_handlers.ts";
import type { CohortContracts, Joined } from "./protocol.ts";

/** The leader's decisions about workers' requests. A refusal is a thrown `ZeromeshError`. */
export interface MembershipHost {
  /** A worker wants a place. */
  join(worker: InstanceId, rank: number | null): Joined;
  /** A worker gives its place up; returns whether it had one. */
  leave(worker: InstanceId): boolean;
  /** A worker arrives at a barrier. */
  arrive(worker: InstanceId, name: string, value: unknown, signal: AbortSignal): Promise<unknown[]>;
  /** Whether a full cohort may soon have a free place. */
  placeMayBeFree(): boolean;
  /** An instance registers without joining. Returns whether it has a place. */
  registered(worker: InstanceId): boolean;
}

/** The leader's handlers for workers' requests about their membership. */
export class MembershipHandlers {
  readonly #host: MembershipHost;
  readonly #handlers: Disposable[] = [];
  /** Refused requests. */
  refused = 0;

  constructor(host: MembershipHost) {
    this.#host = host;
  }

  /** Registers the handlers. @throws {ZeromeshError} `HANDLER_EXISTS`; none is registered then. */
  open(messenger: CohortMessenger, { join, leave, gather }: CohortContracts): void {
    const host = this.#host;
    const handlers: Handler[] = [
      typedUnaryHandler(join, ({ input, senderInstanceId, fail }) => {
        return this.#counted(() => {
          try {
            return host.join(introduced(senderInstanceId), input.rank);
          } catch (error) {
            if (!(error instanceof ZeromeshError) || error.code !== "COHORT_FULL") throw error;
            throw fail("COHORT_FULL", { again: host.placeMayBeFree() }, error.message);
          }
        });
      }),
      typedUnaryHandler(
        leave,
        ({ senderInstanceId }) => ({ left: host.leave(introduced(senderInstanceId)) }),
      ),
      typedUnaryHandler(gather, ({ input, senderInstanceId, signal }) =>
        this.#counted(async () => ({
          values: await host.arrive(introduced(senderInstanceId), input.name, input.value, signal),
        }))),
    ];
    try {
      registerHandlers(messenger, handlers, this.#handlers);
      const watching = portOf(messenger)?.watch({ registered: (id) => host.registered(id) });
      if (watching !== undefined) this.#handlers.push(watching);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Unregisters the handlers. */
  close(): void {
    for (const handler of this.#handlers.splice(0)) handler[Symbol.dispose]();
  }

  /** Counts refusals. */
  async #counted<T>(decide: () => T | Promise<T>): Promise<T> {
    try {
      return await decide();
    } catch (error) {
      if (error instanceof ZeromeshError) this.refused++;
      throw error;
    }
  }
}

function introduced(worker: InstanceId | null): InstanceId {
  if (worker !== null) return worker;
  throw new ZeromeshError(
    "PEER_UNKNOWN",
    "Cannot join the cohort: the calling instance has not introduced itself (_hello)",
  );
}
