import process from "node:process";
import { cString, fromCString } from "./c_string.ts";
import { Errno } from "./constants.ts";
import type { Handle, NativeMemory } from "./memory.ts";
import type { Calls, LinuxSystem, optionalSymbols } from "./symbols.ts";

const O_RDONLY_CLOEXEC = 0o2000000;
const LOCK_EX_NB = 2 | 4;
const lockTries = 2_000;

/** Whether a thread of this process lives. */
export function threadExists(calls: LinuxSystem["calls"], thread: number): boolean {
  return calls.access(cString(`/proc/self/task/${thread}`), 0) >= 0 || calls.errno() !== Errno.ENOENT;
}

/** The parts of a {@link ProcessBlock}. */
export interface ProcessBlockParts {
  /** The library's path: each library has its own blocks, since only it can use what they record. */
  readonly path: string;
  /** libc. */
  readonly system: LinuxSystem;
  /** libc's function. */
  readonly bindtextdomain: Calls<typeof optionalSymbols>["bindtextdomain"];
}

/**
 * A block of C's memory that every thread of the process finds by its name, in libc's table of text domains. Changes are
 * made under a lock on a file of `/proc`; without `/proc` there are none.
 */
export class ProcessBlock {
  readonly #parts: ProcessBlockParts;
  readonly #name: string;
  readonly #bytes: number;
  #view: DataView | null = null;
  #stuck = false;

  /** @param name Distinguishes the blocks. @param bytes Its size. */
  constructor(parts: ProcessBlockParts, name: string, bytes: number) {
    this.#parts = parts;
    this.#name = name;
    this.#bytes = bytes;
  }

  /** The block, or null. To be made at first use, which needs the lock. */
  view(make: boolean): DataView | null {
    this.#view ??= this.#find(make);
    return this.#view;
  }

  /** Zeroed memory of C, visible to all threads of the process; or null. */
  allocate(bytes: number): Handle | null {
    const { calls, memory } = this.#parts.system;
    return calls.calloc(memory.size(1), memory.size(bytes));
  }

  /** Runs a change alone. Does not run it if the lock cannot be had. */
  locked(run: () => void): void {
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

  #find(make: boolean): DataView | null {
    const { bindtextdomain, path, system: { memory } } = this.#parts;
    const domain = cString(`${this.#name} ${path}`);
    // It holds the process's number: a forked child has the text, but not the threads.
    const prefix = `/${this.#name}/${process.pid}/`;
    const bound = bindtextdomain(domain, null);
    if (bound === null) return null;
    const text = textAt(memory, memory.value(bound), prefix.length + 24);
    if (text.startsWith(prefix)) {
      return memory.view(memory.pointer(BigInt(`0x${text.slice(prefix.length)}`)), this.#bytes);
    }
    const block = make ? this.allocate(this.#bytes) : null;
    if (block === null) return null;
    bindtextdomain(domain, cString(prefix + memory.value(block).toString(16)));
    return memory.view(block, this.#bytes);
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
