import type { DiscoveryHub } from "./discovery/mod.ts";
import type { AttachedEvents } from "./events/mod.ts";
import { type Builtins, type MessengerCore, messengerDefaults } from "./messenger/mod.ts";
import type { LibraryInfo } from "./zmq/mod.ts";

/** What a messenger and those that its handlers get have in common. */
export class Inside {
  /** The libzmq in use. */
  readonly library: LibraryInfo;
  /** Its use of discovery; null without. */
  readonly hub: DiscoveryHub | null;
  /** Resolves when it is closed. */
  readonly closed: PromiseWithResolvers<"closed"> = Promise.withResolvers();
  /** What does the work. */
  core!: MessengerCore;
  /** Its events. */
  events!: AttachedEvents;
  /** Its built-in handlers. */
  builtins!: Builtins;
  #closing: Promise<void> | null = null;

  /** Made before anything else of a messenger. */
  constructor(library: LibraryInfo, hub: DiscoveryHub | null) {
    this.library = library;
    this.hub = hub;
  }

  /** Closes it when a signal aborts, as `close()` does. */
  closeOn(signal: AbortSignal | undefined): void {
    if (signal == null) return;
    const close = (): void => void this.close(messengerDefaults.closeTimeoutMs).catch(() => {});
    if (signal.aborted) return close();
    signal.addEventListener("abort", close);
    void this.closed.promise.then(() => signal.removeEventListener("abort", close));
  }

  /** Closes it. The second call returns the first promise. */
  close(timeoutMs: number): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const close = () => this.core.close(timeoutMs);
    const closing = this.#closing = this.hub === null ? close() : this.hub.around(close);
    closing.then(() => this.closed.resolve("closed"), () => this.closed.resolve("closed"));
    return closing;
  }
}
