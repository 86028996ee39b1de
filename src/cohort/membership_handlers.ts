import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type Handler, portOf, typedUnaryHandler } from "../messenger/mod.ts";
import type { CohortMessenger } from "./options.ts";
import { registerHandlers } from "./register_handlers.ts";
import type { CohortContracts, Joined } from "./protocol.ts";

/** What the leader decides when workers ask. All of them throw `ZeromeshError` to refuse. */
export interface MembershipHost {
  /** A worker wants a place. */
  join(worker: InstanceId, rank: number | null): Joined;
  /** A worker gives its place up; returns whether it had one. */
  leave(worker: InstanceId): boolean;
  /** A worker has come to a barrier. */
  arrive(worker: InstanceId, name: string, value: unknown, signal: AbortSignal): Promise<unknown[]>;
  /** Whether a full cohort may soon have a place. */
  placeMayBeFree(): boolean;
  /** An instance has registered without joining. Returns whether it got a place. */
  registered(worker: InstanceId): boolean;
}

/** The handlers by which workers ask the leader for what concerns their membership. */
export class MembershipHandlers {
  readonly #host: MembershipHost;
  readonly #handlers: Disposable[] = [];
  /** How many were refused what they asked for. */
  refused = 0;

  /** @param host Decides. */
  constructor(host: MembershipHost) {
    this.#host = host;
  }

  /** @throws {ZeromeshError} `HANDLER_EXISTS`. Then none is registered. */
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

  /** Counts what is refused. */
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
  throw new ZeromeshError("PEER_UNKNOWN", "Whoever joins a cohort has to introduce itself");
}
