import { describeValue, type Guard, isThenable } from "../../core/mod.ts";
import type { Registered } from "./context.ts";

/** Asks a handler's policy after a failure, and stops the handler if the policy decides so, now or later. */
export function askPolicy(
  guard: Guard,
  registered: Registered,
  error: unknown,
  stop: (registered: Registered) => void,
): void {
  const policy = registered.handler.tasks?.onError;
  if (policy === undefined || registered.stopped !== null) return;
  const follow = (verdict: unknown): void => {
    if (verdict === "cancel" && registered.stopped === null) stop(registered);
    if (verdict === "cancel" || verdict === "log") return;
    guard.failed("onError", new TypeError(`it must answer "log" or "cancel", not ${describeValue(verdict)}`));
  };
  guard.run("onError", () => {
    const verdict: unknown = policy.failed(error, registered.counts.failed);
    if (isThenable(verdict)) return Promise.resolve(verdict).then(follow);
    follow(verdict);
  });
}
