import type { InstanceId } from "../core/mod.ts";
import type { Handler } from "./handler.ts";

/**
 * What features built on a messenger use to add handlers with system names and to call them. Not exported by
 * the package's root.
 */
export interface SystemPort {
  /** Registers a handler whose name starts with `_`. */
  registerSystem(handler: Handler): Disposable;
  /** Calls a system handler of a peer; resolves to the bytes of its answer. */
  callSystem(
    name: string,
    to: InstanceId,
    options: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<Uint8Array>;
}
