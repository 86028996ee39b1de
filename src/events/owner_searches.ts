import { type Deadlines, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { SystemPort } from "../messenger/mod.ts";
import { type EventHandle, handleWords, ownerOf, splitHandle } from "./handle.ts";
import { type AwaiterOptions, Waiting } from "./waiting.ts";

/** Searches for the unknown owners of events: one lookup in discovery for all awaiters of an owner. */
export class OwnerSearches {
  readonly #port: SystemPort;
  readonly #deadlines: Deadlines;
  readonly #limit: number;
  readonly #searches = new Map<bigint, Waiting>();
  #waiting = 0;

  /** @param limit The most waiting searches. */
  constructor(port: SystemPort, deadlines: Deadlines, limit: number) {
    this.#port = port;
    this.#deadlines = deadlines;
    this.#limit = limit;
  }

  /**
   * Finds the owner of an event.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN`, `PEER_UNREACHABLE` when discovery fails, `TIMEOUT`, `LIMIT_REACHED`.
   */
  async find(handle: EventHandle, options: AwaiterOptions): Promise<InstanceId> {
    if (this.#waiting >= this.#limit) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot find the owner of event ${handle}: ${this.#waiting} searches wait for discovery, which is the limit ` +
          "(maxSubscriptions)",
        { ran: "no" },
      );
    }
    const search = this.#search(handle);
    this.#waiting++;
    try {
      return await search.conditional(handle, options, this.#deadlines, null) as InstanceId;
    } catch (error) {
      if (!(error instanceof ZeromeshError) || error.code !== "TIMEOUT") throw error;
      throw new ZeromeshError(
        "TIMEOUT",
        `Discovery did not find the owner of event ${handle} (worker id ${
          ownerOf(handle)
        }) within ${options.timeoutMs} ms`,
        { ran: "no", details: { handle: String(handle) } },
      );
    } finally {
      this.#waiting--;
    }
  }

  /** Fails all searches. */
  close(error: ZeromeshError): void {
    for (const search of this.#searches.values()) search.fail(error);
    this.#searches.clear();
  }

  #search(handle: EventHandle): Waiting {
    const worker = ownerOf(handle);
    const running = this.#searches.get(worker);
    if (running !== undefined) return running;
    splitHandle(handle);
    const found = this.#port.find(handleWords[2]!, handleWords[3]!);
    if (found === null) {
      throw new ZeromeshError(
        "PEER_UNKNOWN",
        `This instance does not know the owner of event ${handle} (worker id ${worker}); connect to it first`,
        { ran: "no", details: { handle: String(handle) } },
      );
    }
    const search = new Waiting();
    this.#searches.set(worker, search);
    const end = (tell: () => void): void => {
      if (this.#searches.get(worker) === search) this.#searches.delete(worker);
      tell();
    };
    found.then(
      (id) => end(() => search.settle(handle, { reason: null, value: id, json: undefined })),
      (error) => end(() => search.fail(error)),
    );
    return search;
  }
}
