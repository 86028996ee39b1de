import {
  checkArgument,
  type Contract,
  type HandlerInput,
  isSystemName,
  option,
  ZeromeshError,
} from "../../core/mod.ts";
import { validateHandlerName } from "../../wire/mod.ts";
import { Authorization } from "./authorization.ts";
import type { Authorize } from "./authorize.ts";
import type { Handler, RegisterOptions } from "./handler_context.ts";
import type { InboundCall, Registered } from "./context.ts";
import { HandlerCounts } from "./handler_stats.ts";
import type { HandlerResult } from "./served.ts";
import type { SharedParts } from "../shared_parts.ts";
import { resolveTasks, type TaskOptions } from "./task_options.ts";

const nameKind = option.kind("a string", (value) => typeof value === "string");

/** Options of registering handlers. */
export interface EntryOptions extends RegisterOptions {
  /**
   * `system`: the messenger's own limits (`concurrency`, `maxInFlightMessages`, `maxInFlightBytes`) do not apply, as
   * for the library's own handlers.
   *
   * @default {"user"}
   */
  readonly admission?: "system" | "user" | undefined;
}

/**
 * Options of a system handler.
 *
 * With the `admission` of a user's handler it has room, lanes and credit, and the same task options; its senders use
 * `amSend`. With the system's, the default, its messages run at once, also while the instance drains if they finish
 * work accepted earlier (`whileDraining`).
 */
export type SystemHandlerOptions =
  | { readonly admission?: "system" | undefined; readonly whileDraining?: boolean | undefined }
  | { readonly admission: "user"; readonly whileDraining?: false | undefined } & TaskOptions;

/** Handlers by name, bounded. */
export class HandlerRegistry {
  readonly #parts: Pick<SharedParts, "maxHandlers" | "authorize" | "status">;
  readonly #byName = new Map<string, Registered>();
  // The last result. Consecutive messages are mostly for the same handler, and names from the wire are other strings
  // than registered ones, so that a lookup compares them character by character.
  #lastName = "";
  #last: Registered | undefined = undefined;
  /** Called when a handler can be called. */
  added: (name: string) => void = () => {};

  /** @param parts Its parts. */
  constructor(parts: Pick<SharedParts, "maxHandlers" | "authorize" | "status">) {
    this.#parts = parts;
  }

  /** The handler with this name. */
  get(name: string): Registered | undefined {
    if (name === this.#lastName) return this.#last;
    this.#lastName = name;
    return this.#last = this.#byName.get(name);
  }

  /** All handlers, with system handlers. */
  all(): IterableIterator<Registered> {
    return this.#byName.values();
  }

  /** All names, with system handlers. */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  /**
   * Adds a system handler, whose name starts with `_`; disposing the result removes it.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS` when the name is registered, `LIMIT_REACHED` at the limit.
   */
  handle(
    name: string,
    kind: "am" | "unary",
    run: (call: InboundCall) => unknown,
    options?: SystemHandlerOptions,
  ): Disposable {
    return this.#handle({ name, kind, contract: null, run }, options);
  }

  /** Adds a handler of a system contract, as {@link handle} does. Its kind is that of a handler without a contract. */
  serve<C extends Contract>(
    contract: C,
    run: (call: InboundCall & { readonly input: HandlerInput<C> }) => HandlerResult<C>,
    options?: SystemHandlerOptions,
  ): Disposable {
    const kind = contract.output === undefined ? "am" : "unary";
    return this.#handle(
      { name: contract.name, kind, contract, run: run as (call: InboundCall) => unknown },
      options,
    );
  }

  #handle(
    { run, ...about }: Pick<Handler, "name" | "kind" | "contract"> & { run(call: InboundCall): unknown },
    options: SystemHandlerOptions = {},
  ): Disposable {
    validateHandlerName(about.name, { system: true });
    // The context of a handler is the inbound call, which system handlers use directly.
    const handler: Handler = {
      ...about,
      dispatch: "inline",
      tasks: options.admission === "user" ? resolveTasks(about.name, options) : undefined,
      run: run as unknown as Handler["run"],
    };
    this.#check([handler], false);
    const registered = this.#add(handler, { admission: "system", ...options });
    return { [Symbol.dispose]: () => void this.#remove(registered) };
  }

  /**
   * Registers users' handlers, all or none of them.
   *
   * @returns Disposing it unregisters those that are still registered.
   * @throws {ZeromeshError} `HANDLER_EXISTS` when a name is registered, `LIMIT_REACHED` at the limit.
   */
  register(handlers: readonly Handler[], options: EntryOptions): Disposable {
    this.#check(handlers, options.replace === true);
    const { status } = this.#parts;
    const all = handlers.map((handler) => {
      const type = this.#byName.has(handler.name) ? "handlerReplaced" : "handlerRegistered";
      const registered = this.#add(handler, options);
      status.publish({ type, handler: handler.name });
      return registered;
    });
    return { [Symbol.dispose]: () => all.forEach((registered) => this.#remove(registered)) };
  }

  /**
   * Removes a user's handler. Returns whether there was one.
   *
   * @throws {TypeError} If the name is not a string.
   * @throws {ZeromeshError} `NAME_INVALID` for a name that a user's handler cannot have.
   */
  unregister(name: string): boolean {
    checkArgument("name", name, nameKind, "Cannot unregister a handler");
    validateHandlerName(name);
    const registered = this.#byName.get(name);
    return registered !== undefined && this.#remove(registered);
  }

  #check(handlers: readonly Handler[], replace: boolean): void {
    const { maxHandlers } = this.#parts;
    let size = this.#byName.size;
    for (const handler of handlers) {
      const taken = this.#byName.has(handler.name);
      if (taken && !replace) {
        throw new ZeromeshError(
          "HANDLER_EXISTS",
          `Cannot register handler "${handler.name}": the name is taken; unregister the other one first, or ` +
            "register with replace: true",
          { handler: handler.name },
        );
      }
      if (!taken && ++size > maxHandlers) {
        throw new ZeromeshError(
          "LIMIT_REACHED",
          `Cannot register handler "${handler.name}": ${this.#byName.size} are registered, and the limit is ` +
            `${maxHandlers} (maxHandlers)`,
          { handler: handler.name },
        );
      }
    }
  }

  #add(
    handler: Handler,
    options: EntryOptions & { readonly whileDraining?: boolean | undefined },
  ): Registered {
    const { authorize, admission, whileDraining = false } = options;
    const system = isSystemName(handler.name);
    const unlimited = admission === "system";
    const registered: Registered = {
      handler,
      system,
      immediate: system && unlimited,
      whileDraining,
      authorization: system ? null : this.#authorizationOf(handler, authorize),
      unlimited,
      schema: handler.schema ?? handler.contract?.input ?? null,
      counts: new HandlerCounts(),
      held: { messages: 0, bytes: 0 },
      lanes: undefined,
      stopped: null,
      durations: null,
    };
    this.#byName.get(handler.name)?.lanes?.close();
    this.#byName.set(handler.name, registered);
    this.#lastName = "";
    this.added(handler.name);
    return registered;
  }

  #authorizationOf(handler: Handler, authorize: Authorize | undefined): Authorization<InboundCall> | null {
    const checks = [this.#parts.authorize, handler.authorize, authorize].filter((check) => check != null);
    return checks.length === 0 ? null : new Authorization(checks, handler.tasks?.ordered ?? null);
  }

  /** Removes a handler, but not its successor of the same name. */
  #remove(registered: Registered): boolean {
    const { name } = registered.handler;
    if (this.#byName.get(name) !== registered) return false;
    registered.lanes?.close();
    this.#byName.delete(name);
    this.#lastName = "";
    registered.handler.removed?.();
    if (!registered.system) this.#parts.status.publish({ type: "handlerUnregistered", handler: name });
    return true;
  }
}
