import type { Handle } from "./memory.ts";
import { ProcessBlock, type ProcessBlockParts, threadExists } from "./process_block.ts";

// The block: the address of the context, and the numbers of the threads that use it.
const threadsAt = 8;
const mostThreads = 254;
const blockBytes = threadsAt + 4 * mostThreads;
const slots: readonly number[] = Array.from({ length: mostThreads }, (_, i) => threadsAt + 4 * i);

/** The parts of {@link SharedContext}. */
export interface SharedContextParts extends ProcessBlockParts {
  /** This thread's number. */
  readonly thread: number;
}

/** One context of libzmq for all threads of the process, which reach each other through `inproc://` in it. */
export class SharedContext {
  readonly #parts: SharedContextParts;
  readonly #block: ProcessBlock;
  /** Where this thread is entered; null when it is not. Another copy of the module has an entry of its own. */
  #slot: number | null = null;

  constructor(parts: SharedContextParts) {
    this.#parts = parts;
    this.#block = new ProcessBlock(parts, "zeromesh.context.1", blockBytes);
  }

  /**
   * Joins the threads that use the context.
   *
   * @param make Makes it, for the first thread.
   * @returns The context; null when it cannot be shared.
   */
  join(make: () => Handle | null): Handle | null {
    const { memory } = this.#parts.system;
    let context: Handle | null = null;
    this.#block.locked(() => {
      const block = this.#block.view(true);
      if (block === null) return;
      const slot = slots.find((at) => !this.#used(block, at));
      if (slot === undefined) return;
      const address = block.getBigUint64(0, true);
      context = address === 0n ? make() : memory.pointer(address);
      if (context === null) return;
      block.setBigUint64(0, memory.value(context), true);
      block.setUint32(slot, this.#parts.thread, true);
      this.#slot = slot;
    });
    return context;
  }

  /**
   * Leaves the threads that use the context.
   *
   * @returns Whether no living thread uses it any more: the caller has to end it then.
   */
  leave(): boolean {
    const slot = this.#slot;
    if (slot === null) return true;
    this.#slot = null;
    let last = false;
    this.#block.locked(() => {
      const block = this.#block.view(false);
      if (block === null) return;
      block.setUint32(slot, 0, true);
      last = !slots.some((at) => this.#used(block, at));
      if (last) block.setBigUint64(0, 0n, true);
    });
    return last;
  }

  /** Whether a living thread has the slot. */
  #used(block: DataView, at: number): boolean {
    const thread = block.getUint32(at, true);
    return thread !== 0 && threadExists(this.#parts.system.calls, thread);
  }
}
