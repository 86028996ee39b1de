import { SocketOption } from "./constants.ts";
import type { HeldEnd, HeldKind, HeldList } from "./held.ts";
import { ProcessBlock, type ProcessBlockParts, threadExists } from "./process_block.ts";

const kinds: readonly (HeldKind | null)[] = [null, "context", "socket", "bell", "descriptor", "poller"];

/** The parts of {@link Holdings}. */
export interface HoldingsParts extends ProcessBlockParts {
  /** This thread's number. */
  readonly thread: number;
}

// The head of the list: the address of the first page. A page: the address of the next one, its thread, and records of
// a kind and a value.
const headBytes = 16;
const threadAt = 8;
const recordsAt = 16;
const recordBytes = 16;
const recordsPerPage = 255;
const pageBytes = recordsAt + recordsPerPage * recordBytes;

const sweepMs = 1_000;
const settleMs = 20;

interface Slot {
  readonly page: DataView;
  readonly at: number;
}

interface Held {
  readonly kind: HeldKind;
  readonly value: bigint;
}

/**
 * The resources of this process's threads in one library, recorded in C's memory, so that another thread can free those
 * of a terminated Worker: its sockets would answer heartbeats for ever.
 *
 * Pages are linked and removed under the lock of a {@link ProcessBlock}, the head of the list; only its own thread writes
 * to a page.
 */
export class Holdings implements HeldList {
  readonly #parts: HoldingsParts;
  readonly #slots = new Map<string, Slot>();
  readonly #free: Slot[] = [];
  readonly #list: ProcessBlock;
  #watchers = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ending: Promise<void> = Promise.resolve();

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
    this.#list = new ProcessBlock(parts, "zeromesh.1", headBytes);
  }

  /** Adds a resource. */
  add(kind: HeldKind, value: bigint): void {
    if (this.#free.length === 0) this.#addPage();
    const slot = this.#free.pop();
    if (slot === undefined) return;
    // The kind is written last: it makes the record valid.
    slot.page.setBigUint64(slot.at + 8, value, true);
    slot.page.setUint32(slot.at, kinds.indexOf(kind), true);
    this.#slots.set(`${kind} ${value}`, slot);
  }

  /** Removes a resource. To be called before it is freed. */
  remove(kind: HeldKind, value: bigint): void {
    const key = `${kind} ${value}`;
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    slot.page.setUint32(slot.at, 0, true);
    this.#slots.delete(key);
    this.#free.push(slot);
  }

  /** Frees resources of dead threads, now and every second until the result is disposed, which awaits running calls. */
  watch(backend: HeldEnd): AsyncDisposable {
    const sweep = () => this.#sweep(backend);
    sweep();
    if (this.#watchers++ === 0) {
      this.#timer = setInterval(sweep, sweepMs);
      this.#timer.unref();
    }
    return {
      [Symbol.asyncDispose]: () => {
        if (--this.#watchers === 0) clearInterval(this.#timer);
        return this.#ending;
      },
    };
  }

  #sweep(backend: HeldEnd): void {
    const held = this.#takeDead();
    if (held.length > 0) this.#ending = Promise.all([this.#ending, this.#end(backend, held)]).then(() => {});
  }

  async #end(backend: HeldEnd, held: readonly Held[]): Promise<void> {
    const { calls, memory } = this.#parts.system;
    const of = (...wanted: HeldKind[]) => held.filter(({ kind }) => wanted.includes(kind));
    const handles = (kind: HeldKind) => of(kind).map(({ value }) => memory.pointer(value));
    const zero = new Uint8Array(new ArrayBuffer(4));
    // Monitors first: one that ends after its socket blocks libzmq's reaper.
    for (const socket of handles("socket")) backend.monitor(socket, null, 0);
    // A socket signals to its poller.
    for (const poller of handles("poller")) backend.closePoller(poller);
    for (const socket of handles("socket")) {
      backend.setOption(socket, SocketOption.LINGER, zero);
      backend.closeSocket(socket);
    }
    const one = memory.region(8);
    one.view.setBigUint64(0, 1n, true);
    for (const { value } of of("bell")) calls.write(Number(value), one.address, memory.size(8));
    await Promise.all(handles("context").map((context) => backend.contextTerm(context)));
    // A thread may still wait on them: if they were closed before the bell is seen, it would sleep for ever.
    await new Promise<void>((resolve) => setTimeout(resolve, settleMs));
    for (const { value } of of("descriptor", "bell")) calls.close(Number(value));
  }

  /** Removes and reads the pages of dead threads. */
  #takeDead(): Held[] {
    const { system: { calls, memory }, thread } = this.#parts;
    const held: Held[] = [];
    const head = this.#list.view(false);
    if (head === null || !threadExists(calls, thread)) return held;
    this.#list.locked(() => {
      for (let at = head, next = at.getBigUint64(0, true); next !== 0n; next = at.getBigUint64(0, true)) {
        const page = memory.view(memory.pointer(next), pageBytes);
        const owner = page.getUint32(threadAt, true);
        if (owner === thread || threadExists(calls, owner)) {
          at = page;
          continue;
        }
        at.setBigUint64(0, page.getBigUint64(0, true), true);
        for (let record = recordsAt; record < pageBytes; record += recordBytes) {
          const kind = kinds[page.getUint32(record, true)] ?? null;
          if (kind !== null) held.push({ kind, value: page.getBigUint64(record + 8, true) });
        }
        calls.free(memory.pointer(next));
      }
    });
    return held;
  }

  #addPage(): void {
    const { system: { calls, memory }, thread } = this.#parts;
    const block = this.#list.allocate(pageBytes);
    if (block === null) return;
    const page = memory.view(block, pageBytes);
    page.setUint32(threadAt, thread, true);
    let linked = false;
    this.#list.locked(() => {
      const head = this.#list.view(true);
      if (head === null) return;
      page.setBigUint64(0, head.getBigUint64(0, true), true);
      head.setBigUint64(0, memory.value(block), true);
      linked = true;
    });
    if (!linked) return calls.free(block);
    for (let at = recordsAt; at < pageBytes; at += recordBytes) this.#free.push({ page, at });
  }
}
