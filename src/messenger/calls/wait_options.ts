import { option, type OptionTable } from "../../core/mod.ts";
import { publicKeyOption } from "../curve_options.ts";

/** Options of `messenger.connect`. */
export interface ConnectOptions {
  /** With CURVE: the public key of the instance there, Z85. */
  serverKey?: string | undefined;
  /** Time of dialling in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

/** Options of a wait for another instance. */
export interface WaitOptions {
  /** Deadline in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Ends the wait; the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Options of `messenger.close`. */
export interface CloseOptions {
  /** Time for handlers and queues, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
}

/** The options of waits. */
export const waitOptionTable: OptionTable<WaitOptions> = {
  timeoutMs: option.timeout,
  signal: option.signal,
};

/** The options of `close`. */
export const closeOptionTable = { timeoutMs: option.timeout.or(5_000) } satisfies OptionTable<CloseOptions>;

/** The options of `connect`. */
export const connectOptionTable: OptionTable<ConnectOptions> = {
  serverKey: publicKeyOption,
  timeoutMs: option.timeout,
  signal: option.signal,
};
