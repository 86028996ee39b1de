import { type Clock, describeValue, type Guard, hold, isThenable } from "../../core/mod.ts";
import type { KeyCheck } from "../../transport/mod.ts";

// libzmq ends a handshake after three seconds.
const longestMs = 2_000;
const maxUndecided = 1_024;

/** Asks the user whether a key may connect: only `true`, or a promise of it, admits the key. */
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
      // A rejection that is not awaited must still be handled.
      if (undecided < maxUndecided) return later(answer);
      Promise.resolve(answer).then(undefined, () => {});
      return refuse(new Error(`the limit of keys that wait for its answer is reached (${maxUndecided})`));
    } catch (error) {
      return refuse(error);
    }
  };
}
