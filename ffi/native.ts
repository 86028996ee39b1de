import process from "node:process";
import { Holdings } from "./holdings.ts";
import type { Handle, NativeMemory } from "./memory.ts";
import {
  type Calls,
  darwinSymbols,
  type draftSymbols,
  linuxSymbols,
  type OptionalCalls,
  type optionalSymbols,
  type SymbolTable,
  type System,
  type zmqSymbols,
} from "./symbols.ts";
import { SharedContext } from "./shared_context.ts";
import type { LoopWait } from "./loop_waiter.ts";

/** An opened libzmq with functions of libc, as one runtime calls them. */
export interface Native {
  /** The runtime. */
  readonly runtime: "bun" | "deno";
  /** Functions of every libzmq. */
  readonly zmq: Calls<typeof zmqSymbols>;
  /** Functions of some builds. */
  readonly optional: OptionalCalls<typeof optionalSymbols>;
  /** Opens the functions for draft sockets, or throws with the loader's text. */
  drafts(): Calls<typeof draftSymbols>;
  /** libc. */
  readonly system: System;
  /** The wait in the runtime's own loop. */
  readonly wait: LoopWait;
  /** `zmq_ctx_term` on another thread, so that timers run during a linger: 0, or a negated errno. */
  contextTerm(context: Handle): Promise<number>;
  /** `zmq_ctx_term` on another thread, waited for on this one; null if that is not possible. */
  readonly contextTermWatched?: (
    context: Handle,
    slow: { readonly slowMs: number; readonly slow: () => void },
  ) => number | null;
  /** `malloc_trim` on another thread; null if that is not possible. */
  returnMemory(): Promise<unknown> | null;
  /** See `Backend.release`. */
  release(): boolean;
}

/** The parts of {@link openSystem}. */
export interface SystemParts {
  /** Path of the libzmq through whose handle libc's functions are found. */
  readonly path: string;
  /** Memory, pointers and sizes. */
  readonly memory: NativeMemory;
  /** Opens functions of it, or throws with the loader's text. */
  open<Table extends SymbolTable>(table: Table): Calls<Table>;
  /** Functions of some builds. */
  readonly optional: OptionalCalls<typeof optionalSymbols>;
  /** Whether the library's code stays loaded until the process ends, so that another thread can still call it. */
  readonly stays: boolean;
}

/** Opens libc through libzmq's handle. */
export function openSystem({ path, memory, open, optional, stays }: SystemParts): System {
  const system: System = process.platform === "darwin"
    ? { platform: "darwin", calls: open(darwinSymbols), memory, holdings: null, shared: null }
    : { platform: "linux", calls: open(linuxSymbols), memory, holdings: null, shared: null };
  const { gettid, bindtextdomain } = optional;
  if (system.platform === "linux" && stays && gettid && bindtextdomain) {
    const parts = { path, system, thread: gettid(), bindtextdomain };
    system.holdings = new Holdings(parts);
    system.shared = new SharedContext(parts);
  }
  return system;
}
