import { type Handler, portOf } from "../messenger/mod.ts";
import type { CohortMessenger } from "./options.ts";

/**
 * Registers a cohort's handlers. The messenger's own limits do not hold them up: behind a worker's only place its
 * heartbeats would wait for the job that has it, and the worker would be taken for lost.
 *
 * @param registered Gets what unregisters them, also of those that came before one that could not be registered.
 * @throws {ZeromeshError} `HANDLER_EXISTS`, `CLOSED`.
 */
export function registerHandlers(
  messenger: CohortMessenger,
  handlers: readonly Handler[],
  registered: Disposable[],
): void {
  const port = portOf(messenger);
  if (port !== undefined) registered.push(port.register(handlers, { admission: "system" }));
  else for (const handler of handlers) registered.push(messenger.registerHandler(handler));
}
