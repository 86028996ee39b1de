import process from "node:process";
import { ZeromeshError } from "../src/core/mod.ts";
import type { Backend } from "./backend.ts";
import { bunMemory, open, openOptional } from "./bun_library.ts";
import { termAway } from "./bun_term.ts";
import { runAway, runWatched } from "./bun_thread.ts";
import { bunWait } from "./bun_waiter.ts";
import { type LibraryChoice, type LibraryHost, openLibrary } from "./library.ts";
import { type Native, openSystem } from "./native.ts";
import { draftSymbols, optionalSymbols, threadSymbols, zmqSymbols } from "./symbols.ts";
import { ZmqBackend } from "./zmq_backend.ts";

/** Opens a path with all required symbols, or throws with the loader's text. */
function openNative(path: string): Native {
  const zmq = open(path, zmqSymbols);
  const optional = openOptional(path, optionalSymbols);
  const threads = openOptional(path, threadSymbols);
  const system = openSystem({
    path,
    memory: bunMemory,
    open: (table) => open(path, table),
    optional,
    stays: true,
  });
  const { mallocTrim } = optional;
  return {
    runtime: "bun",
    zmq,
    optional,
    drafts: () => open(path, draftSymbols),
    system,
    wait: bunWait(system),
    contextTerm: (context) => termAway({ path, zmq, threads }, context),
    contextTermWatched: (context, slow) => runWatched(threads, zmq.ctxTerm, context, slow),
    returnMemory: () => mallocTrim ? runAway(threads, mallocTrim, null) : null,
    // Bun does not count loaded libraries.
    release: () => false,
  };
}

/** Bun has no permissions. */
const bunHost: LibraryHost = {
  variable: (name) => ({ value: process.env[name] }),
  readRefusal: () => null,
};

/** Older versions crash when Workers open libraries, and cannot open an embedded one. */
const oldestBun = [1, 4] as const;

/** Finds and opens libzmq. @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, `FEATURE_UNAVAILABLE`. */
export function openBackend(choice: LibraryChoice): Backend {
  const running = process.versions["bun"] ?? "0";
  const [major = 0, minor = 0] = running.split(".").map(Number);
  if (major < oldestBun[0] || (major === oldestBun[0] && minor < oldestBun[1])) {
    const message = `Cannot open libzmq: this is Bun ${running}, and ${
      oldestBun.join(".")
    } or newer is needed`;
    throw new ZeromeshError("FEATURE_UNAVAILABLE", message);
  }
  const { library, info } = openLibrary({ choice, host: bunHost, open: openNative });
  return new ZmqBackend(library, info);
}
