import {
  describeValue,
  errorText,
  type Guard,
  type InstanceId,
  isThenable,
  ZeromeshError,
} from "../../core/mod.ts";

/** Facts that a feature adds to a question to `authorize`, such as what the message concerns, by the feature's names. */
export type CallSubject = Readonly<Record<string, string>>;

/** The argument of `authorize`: a message to a handler, without its payload. */
export interface CallToAuthorize {
  /** Facts of a feature; null for messages to users' handlers. */
  readonly subject: CallSubject | null;
  /** The handler. */
  readonly handlerName: string;
  /** The sender's instance id; null if it has not introduced itself. Proven with CURVE keys, only claimed without. */
  readonly senderInstanceId: InstanceId | null;
  /** The CURVE public key that the sender has proved to own, Z85; null without keys. */
  readonly peerKey: string | null;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Address of the sender's connection: `"ipc"` for a process of this host and user, else its host's IP address; null
   * if unknown, and for messages of the instance to itself.
   */
  readonly address: string | null;
}

/**
 * Decides whether a message may reach its handler, now or later. Only `true` admits it. A `ZeromeshError`, returned or
 * thrown, refuses it with a message for the caller.
 */
export type Authorize = (
  call: CallToAuthorize,
) => boolean | ZeromeshError | Promise<boolean | ZeromeshError>;

/** The result of `authorize`: true, or the user's reason, which may be empty. */
export type Verdict = true | string;

/** Asks the functions in order, until one does not return `true`. The promise does not reject. */
export function askAll(
  guard: Guard,
  checks: readonly Authorize[],
  call: CallToAuthorize,
  from = 0,
): Verdict | Promise<Verdict> {
  for (let at = from; at < checks.length; at++) {
    const verdict = ask(guard, checks[at]!, call);
    if (verdict instanceof Promise) {
      return verdict.then((later) => later === true ? askAll(guard, checks, call, at + 1) : later);
    }
    if (verdict !== true) return verdict;
  }
  return true;
}

function ask(guard: Guard, check: Authorize, call: CallToAuthorize): Verdict | Promise<Verdict> {
  const verdict = guard.run("authorize", (): Verdict | Promise<Verdict> => {
    try {
      const answer: unknown = check(call);
      return isThenable(answer) ? Promise.resolve(answer).then(read).catch(reasonOf) : read(answer);
    } catch (thrown) {
      return reasonOf(thrown);
    }
  });
  // A failure of the function, counted by the guard, admits no message.
  return verdict instanceof Promise ? verdict.catch(() => "") : verdict ?? "";
}

function read(answer: unknown): Verdict {
  if (typeof answer === "boolean") return answer || "";
  if (answer instanceof ZeromeshError) return errorText(answer);
  throw new TypeError(`it must answer true, false or a ZeromeshError, not ${describeValue(answer)}`);
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof ZeromeshError) return errorText(thrown);
  throw thrown;
}
