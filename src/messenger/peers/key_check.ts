import { type Clock, describeValue, type Guard, hold, isThenable } from "../../core/mod.ts";
import type { KeyCheck } from "../../transport/mod.ts";

// libzmq ends a handshake that takes three seconds.
const longestMs = 2_000;
const maxUndecided = 1_024;

/** Asks the user whether a key may connect: `true`, or a promise of it, lets it in, and everything else does not. */
export function keyCheck(allow: (publicKey: string) => unknown, guard: Guard, clock: Clock): KeyCheck {
  let undecided = 0;
  const refuse = (error: unknown): false => {
    guard.failed("allow", error);
    return false;
  };
  const decide = (answer: unknown): boolean => {
    if (typeof answer === "boolean") return answer;
    return refuse(new TypeError(`it must answer true or false, not ${describeValue(answer)}`));
  };
  const late = (): Error => new Error(`its promise did not settle within ${longestMs} ms`);
  const later = (answer: PromiseLike<unknown>): Promise<boolean> => {
    undecided++;
    return hold(answer, { clock, timeoutMs: longestMs, late }).then(decide, refuse).finally(() =>
      undecided--
    );
  };
  return (publicKey) => {
    try {
      const answer = allow(publicKey);
      if (!isThenable(answer)) return decide(answer);
      // Not awaited, and yet not one that nobody handles.
      if (undecided < maxUndecided) return later(answer);
      Promise.resolve(answer).then(undefined, () => {});
      return refuse(new Error(`the limit of keys that wait for its answer is reached (${maxUndecided})`));
    } catch (error) {
      return refuse(error);
    }
  };
}
