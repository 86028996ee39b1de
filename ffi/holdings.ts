import process from "node:process";
import { cString, fromCString } from "./c_string.ts";
import { Errno, SocketOption } from "./constants.ts";
import type { HeldEnd, HeldKind, HeldList } from "./held.ts";
import type { Handle, NativeMemory } from "./memory.ts";
import type { Calls, LinuxSystem, optionalSymbols } from "./symbols.ts";

const kinds: readonly (HeldKind | null)[] = [null, "context", "socket", "bell", "descriptor"];

/** The parts of {@link Holdings}. */
export interface HoldingsParts {
  /** The library's path: each library has its own list, since only it can free its resources. */
  readonly path: string;
  /** libc. */
  readonly system: LinuxSystem;
  /** libc's function. */
  readonly bindtextdomain: Calls<typeof optionalSymbols>["bindtextdomain"];
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

const O_RDONLY_CLOEXEC = 0o2000000;
const LOCK_EX_NB = 2 | 4;
const lockTries = 2_000;
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
 * Every thread finds the list's address by name, in libc's table of text domains. Pages are linked and removed under a
 * lock on a file of `/proc`; only its own thread writes to a page. Without `/proc` nothing is recorded.
 */
export class Holdings implements HeldList {
  readonly #parts: HoldingsParts;
  readonly #slots = new Map<string, Slot>();
  readonly #free: Slot[] = [];
  #list: DataView | null = null;
  #stuck = false;
  #watchers = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ending: Promise<void> = Promise.resolve();

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
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
    const head = this.#head(false);
    if (head === null || !this.#exists(thread)) return held;
    this.#locked(() => {
      for (let at = head, next = at.getBigUint64(0, true); next !== 0n; next = at.getBigUint64(0, true)) {
        const page = memory.view(memory.pointer(next), pageBytes);
        const owner = page.getUint32(threadAt, true);
        if (owner === thread || this.#exists(owner)) {
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

  #exists(thread: number): boolean {
    const { calls } = this.#parts.system;
    return calls.access(cString(`/proc/self/task/${thread}`), 0) >= 0 || calls.errno() !== Errno.ENOENT;
  }

  #addPage(): void {
    const { system: { calls, memory }, thread } = this.#parts;
    const block = this.#allocate(pageBytes);
    if (block === null) return;
    const page = memory.view(block, pageBytes);
    page.setUint32(threadAt, thread, true);
    let linked = false;
    this.#locked(() => {
      const head = this.#head(true);
      if (head === null) return;
      page.setBigUint64(0, head.getBigUint64(0, true), true);
      head.setBigUint64(0, memory.value(block), true);
      linked = true;
    });
    if (!linked) return calls.free(block);
    for (let at = recordsAt; at < pageBytes; at += recordBytes) this.#free.push({ page, at });
  }

  /** The list, created at first use, which needs the lock. */
  #head(make: boolean): DataView | null {
    this.#list ??= this.#findHead(make);
    return this.#list;
  }

  #findHead(make: boolean): DataView | null {
    const { bindtextdomain, path, system: { memory } } = this.#parts;
    const domain = cString(`zeromesh.1 ${path}`);
    // It holds the process's number: a forked child has the text, but not the threads.
    const prefix = `/zeromesh.1/${process.pid}/`;
    const bound = bindtextdomain(domain, null);
    if (bound === null) return null;
    const text = textAt(memory, memory.value(bound), prefix.length + 24);
    if (text.startsWith(prefix)) {
      return memory.view(memory.pointer(BigInt(`0x${text.slice(prefix.length)}`)), headBytes);
    }
    const block = make ? this.#allocate(headBytes) : null;
    if (block === null) return null;
    bindtextdomain(domain, cString(prefix + memory.value(block).toString(16)));
    return memory.view(block, headBytes);
  }

  /** Zeroed memory of C, visible to all threads of the process; or null. */
  #allocate(bytes: number): Handle | null {
    const { calls, memory } = this.#parts.system;
    return calls.calloc(memory.size(1), memory.size(bytes));
  }

  #locked(run: () => void): void {
    const { calls } = this.#parts.system;
    if (this.#stuck) return;
    const fd = calls.open(cString("/proc/self/status"), O_RDONLY_CLOEXEC);
    if (fd < 0) return;
    try {
      // A Worker terminated during its lock holds it for ever; then no more is recorded.
      for (let tries = 0; tries < lockTries; tries++) {
        if (calls.flock(fd, LOCK_EX_NB) >= 0) return run();
        calls.yield();
      }
      this.#stuck = true;
    } finally {
      calls.close(fd);
    }
  }
}

/** Reads byte by byte, since memory after the text's end may be inaccessible. */
function textAt(memory: NativeMemory, address: bigint, most: number): string {
  const bytes = new Uint8Array(most + 1);
  for (let i = 0; i < most; i++) {
    const byte = memory.view(memory.pointer(address + BigInt(i)), 1).getUint8(0);
    if (byte === 0) break;
    bytes[i] = byte;
  }
  return fromCString(bytes);
}
