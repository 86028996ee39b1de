import { option, type OptionTable } from "../../core/mod.ts";
import { publicKeyOption } from "../curve_options.ts";

/** How to `messenger.connect`. */
export interface ConnectOptions {
  /** With CURVE: the public key that the instance there must own, Z85. */
  serverKey?: string | undefined;
  /** How long to keep dialling, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Gives up. */
  signal?: AbortSignal | undefined;
}

/** How to wait for something remote. */
export interface WaitOptions {
  /** Deadline in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Gives up; the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** How to `messenger.close`. */
export interface CloseOptions {
  /** How long handlers and queues get, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
}

/** All that waits know. */
export const waitOptionTable: OptionTable<WaitOptions> = {
  timeoutMs: option.timeout,
  signal: option.signal,
};

/** All that `close` knows. */
export const closeOptionTable = { timeoutMs: option.timeout.or(5_000) } satisfies OptionTable<CloseOptions>;

/** All that `connect` knows. */
export const connectOptionTable: OptionTable<ConnectOptions> = {
  serverKey: publicKeyOption,
  timeoutMs: option.timeout,
  signal: option.signal,
};
