import process from "node:process";
import { Holdings } from "./holdings.ts";
import type { Handle, NativeMemory } from "./memory.ts";
import {
  type Calls,
  darwinSymbols,
  linuxSymbols,
  type OptionalCalls,
  type optionalSymbols,
  type SymbolTable,
  type System,
  type zmqSymbols,
} from "./symbols.ts";
import type { LoopWait } from "./loop_waiter.ts";

/** An opened libzmq with what of libc came along, as one runtime calls them. */
export interface Native {
  /** Which runtime this is. */
  readonly runtime: "bun" | "deno";
  /** What every libzmq has. */
  readonly zmq: Calls<typeof zmqSymbols>;
  /** What this build has besides. */
  readonly optional: OptionalCalls<typeof optionalSymbols>;
  /** libc. */
  readonly system: System;
  /** How the runtime's own loop waits. */
  readonly wait: LoopWait;
  /** `zmq_ctx_term` away from this thread, so that timers run during a linger: 0, or a negated errno. */
  contextTerm(context: Handle): Promise<number>;
  /** `malloc_trim` away from this thread; null where it cannot be called so. */
  returnMemory(): Promise<unknown> | null;
  /** See `Backend.release`. */
  release(): boolean;
}

/** What {@link openSystem} is told. */
export interface SystemParts {
  /** The path of the libzmq whose handle libc's functions are found through. */
  readonly path: string;
  /** Memory, pointers and sizes. */
  readonly memory: NativeMemory;
  /** Opens functions there, or throws with the loader's text. */
  open<Table extends SymbolTable>(table: Table): Calls<Table>;
  /** Functions of which some builds have none. */
  readonly optional: OptionalCalls<typeof optionalSymbols>;
  /** Whether the library's code stays until the process ends, so that another thread can still call it. */
  readonly stays: boolean;
}

/** libc, which is found through libzmq's own handle. */
export function openSystem({ path, memory, open, optional, stays }: SystemParts): System {
  const system: System = process.platform === "darwin"
    ? { platform: "darwin", calls: open(darwinSymbols), memory, holdings: null }
    : { platform: "linux", calls: open(linuxSymbols), memory, holdings: null };
  const { gettid, bindtextdomain } = optional;
  if (system.platform === "linux" && stays && gettid && bindtextdomain) {
    system.holdings = new Holdings({ path, system, thread: gettid(), bindtextdomain });
  }
  return system;
}
