import { ContextOption } from "../libzmq/mod.ts";
import { checkBoolean, checkCount, checkIdentifier, checkNumber, checkOptions } from "./arguments.ts";
import { ContextCore } from "./context_core.ts";
import { assignOptions, defineOptions, optionName } from "./option_table.ts";

/** Options of a {@link Context}: its settings, which a program may set later too. */
export type ContextOptions = Partial<Omit<ContextSettings, "maxSocketsLimit">>;

/** The settings of a {@link Context}, which are properties of it. */
export interface ContextSettings {
  /**
   * Whether the end of the program waits for unsent messages, as long as the sockets' `linger` lets it. With false, new
   * sockets have a `linger` of 0. (`ZMQ_BLOCKY`)
   *
   * @default {true}
   */
  blocky: boolean;
  /**
   * libzmq's threads for I/O, at most 1 024; 0 suffices for `inproc://`. To be set before the first socket.
   * (`ZMQ_IO_THREADS`)
   *
   * @default {1}
   */
  ioThreads: number;
  /** Largest message that its sockets send, in bytes. (`ZMQ_MAX_MSGSZ`) @default {2_147_483_647} */
  maxMessageSize: number;
  /** The most sockets. To be set before the first one. (`ZMQ_MAX_SOCKETS`) @default {1_023} */
  maxSockets: number;
  /** Whether new sockets use IPv6 beside IPv4. (`ZMQ_IPV6`) @default {false} */
  ipv6: boolean;
  /** Priority of libzmq's threads. Can only be set, before the first socket. (`ZMQ_THREAD_PRIORITY`) */
  threadPriority: number;
  /** Scheduling policy of libzmq's threads. Can only be set, before the first socket. (`ZMQ_THREAD_SCHED_POLICY`) */
  threadSchedulingPolicy: number;
  /** The largest value of {@link maxSockets}. (`ZMQ_SOCKET_LIMIT`) */
  readonly maxSocketsLimit: number;
}

/** Ends contexts whose objects were collected, and with them their sockets. */
const collected = new FinalizationRegistry<ContextCore>((core) => void core.end());

/** Whether {@link context} is being made, which is the one of all threads. */
let isFirst = true;

let coreOfContext: (context: Context) => ContextCore;

/**
 * A context: the I/O threads of its sockets, and the `inproc://` addresses that they can reach.
 *
 * New sockets belong to the one called {@link context} unless they are given another.
 *
 * @example Usage
 * ```ts ignore
 * import { Context, Dealer } from "zeromesh/zmq";
 *
 * const context = new Context({ ioThreads: 2 });
 * const socket = new Dealer({ context });
 * ```
 */
export class Context {
  readonly #core: ContextCore;

  /** Makes the context. @param options Settings. @throws {TypeError} If one does not exist or has the wrong type. */
  constructor(options?: ContextOptions) {
    checkOptions(options);
    checkCount(arguments, 1);
    this.#core = new ContextCore(isFirst);
    collected.register(this, this.#core);
    // A misspelt setting is an error.
    Object.seal(this);
    if (options !== undefined) assignOptions(this, options);
  }

  static {
    coreOfContext = (context) => context.#core;
  }

  /** Ends the context: its sockets are closed, and their pending operations fail with `ETERM`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#core.end();
  }

  /** Reads an option that is 0 or 1. */
  protected getBoolOption(option: number): boolean {
    checkIdentifier(option);
    checkCount(arguments, 1);
    return this.#core.get(option, optionName(this, option)) !== 0;
  }

  /** Sets an option that is 0 or 1. */
  protected setBoolOption(option: number, value: boolean): void {
    checkIdentifier(option);
    checkBoolean(value);
    checkCount(arguments, 2);
    this.#core.set(option, value ? 1 : 0, optionName(this, option));
  }

  /** Reads an option. */
  protected getInt32Option(option: number): number {
    checkIdentifier(option);
    checkCount(arguments, 1);
    return this.#core.get(option, optionName(this, option));
  }

  /** Sets an option. */
  protected setInt32Option(option: number, value: number): void {
    checkIdentifier(option);
    checkNumber(value);
    checkCount(arguments, 2);
    this.#core.set(option, value, optionName(this, option));
  }
}

/** The settings, as properties. */
export interface Context extends ContextSettings {}

defineOptions(Context.prototype, {
  ioThreads: { option: ContextOption.IO_THREADS, type: "Int32" },
  maxSockets: { option: ContextOption.MAX_SOCKETS, type: "Int32" },
  maxSocketsLimit: { option: ContextOption.SOCKET_LIMIT, type: "Int32", access: "r" },
  threadPriority: { option: ContextOption.THREAD_PRIORITY, type: "Int32", access: "w" },
  threadSchedulingPolicy: { option: ContextOption.THREAD_SCHED_POLICY, type: "Int32", access: "w" },
  maxMessageSize: { option: ContextOption.MAX_MSGSZ, type: "Int32" },
  ipv6: { option: ContextOption.IPV6, type: "Bool" },
  blocky: { option: ContextOption.BLOCKY, type: "Bool" },
});

/** The native part of a context. */
export function contextCore(context: Context): ContextCore {
  return coreOfContext(context);
}

/** The context of new sockets that are given no other. */
export const context: Context = new Context();
isFirst = false;
