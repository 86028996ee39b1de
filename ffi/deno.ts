import { ZeromeshError } from "../src/core/mod.ts";
import type { Backend } from "./backend.ts";
import { Errno } from "./constants.ts";
import { deno, denoHost, denoMemory, open, type Opened, pin } from "./deno_library.ts";
import { denoWait } from "./deno_waiter.ts";
import { type LibraryChoice, openLibrary } from "./library.ts";
import { type Native, openSystem } from "./native.ts";
import { type AwayCalls, awaySymbols, draftSymbols, optionalSymbols, zmqSymbols } from "./symbols.ts";
import { ZmqBackend } from "./zmq_backend.ts";

/** Opens a path with all required symbols, or throws with the loader's text. */
function openNative(path: string): Native {
  const opened: Opened = [];
  const close = (): void => {
    for (const library of opened.splice(0)) library.close();
  };
  try {
    return openParts(path, opened, close);
  } catch (error) {
    close();
    throw error;
  }
}

function openParts(path: string, opened: Opened, close: () => void): Native {
  const zmq: Native["zmq"] = open(opened, path, zmqSymbols);
  const stays = pin(path);
  const optional: Native["optional"] = open(opened, path, optionalSymbols, { optional: true });
  const away: AwayCalls<typeof awaySymbols> = open(opened, path, awaySymbols, {
    optional: true,
    nonblocking: true,
  });
  const system = openSystem({
    path,
    memory: denoMemory,
    open: (table) => open(opened, path, table),
    optional,
    stays,
  });
  return {
    runtime: "deno",
    zmq,
    optional,
    drafts: () => open(opened, path, draftSymbols),
    system,
    wait: denoWait(system, away.poll),
    // The errno is lost with its thread; for a valid context only a signal makes the call fail.
    contextTerm: async (context) => await away.ctxTerm(context) >= 0 ? 0 : -Errno.EINTR,
    returnMemory: () => away.mallocTrim?.(null) ?? null,
    release() {
      // Code that is not pinned must stay while it may still run.
      if (stays) close();
      return true;
    },
  };
}

/** Whether Deno has not granted the permission to call foreign functions, so that it may ask for it at the terminal. */
export function asksForPermission(): boolean {
  return deno.permissions.querySync({ name: "ffi" }).state !== "granted";
}

/** Finds and opens libzmq. @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`. */
export function openBackend(choice: LibraryChoice): Backend {
  const tried: Native[] = [];
  try {
    const { library, info } = openLibrary({
      choice,
      host: denoHost,
      open: (path) => {
        const library = openNative(path);
        tried.push(library);
        return library;
      },
    });
    for (const other of tried) if (other !== library) other.release();
    return new ZmqBackend(library, info);
  } catch (error) {
    // Checked afterwards, because Deno may ask the user at the terminal before.
    if (!(error instanceof ZeromeshError) || !asksForPermission()) throw error;
    throw new ZeromeshError(
      "LIBZMQ_NOT_FOUND",
      "Cannot load libzmq: this Deno process has no permission to call foreign functions; " +
        "run it with --allow-ffi, without a path, and with --allow-read and --allow-env",
      { details: error.details, cause: error },
    );
  }
}
