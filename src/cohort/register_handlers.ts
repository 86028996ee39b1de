import { type Handler, portOf } from "../messenger/mod.ts";
import type { CohortMessenger } from "./options.ts";

/**
 * Registers a cohort's handlers, exempt from the messenger's own limits: otherwise heartbeats would wait for the job
 * that has a worker's only place, and the worker would be taken for lost.
 *
 * @param registered Gets what unregisters them, also for those registered before one that failed.
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
