import {
  describeValue,
  errorText,
  type Guard,
  type InstanceId,
  isThenable,
  ZeromeshError,
} from "../../core/mod.ts";

/** What a feature adds to a question of its own; a message for a handler of the user's has none of it. */
export interface CallSubject {
  /** The actor that it is about. */
  readonly actor?: string | undefined;
  /** The channel that it is about. */
  readonly channel?: string | undefined;
  /** What the caller wants done with it. */
  readonly verb?: string | undefined;
}

/** What `authorize` is asked about: a message on its way to a handler, without its payload. */
export interface CallToAuthorize extends CallSubject {
  /** The handler that it is for. */
  readonly handlerName: string;
  /** The sender's instance id; null when it never introduced itself. With keys it is proven, without it is a claim. */
  readonly senderInstanceId: InstanceId | null;
  /** The CURVE public key that the sender has proved to own, Z85; null without keys. */
  readonly peerKey: string | null;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Where the sender's connection comes from: `"ipc"` for a process of this host and user, else the IP address of its
   * host; null where that is not known, and for what the instance sends to itself.
   */
  readonly address: string | null;
}

/**
 * Says whether a message may reach its handler, now or later. `true` alone lets it in. A `ZeromeshError`, answered or
 * thrown, does not, and its message is what the caller is told.
 */
export type Authorize = (
  call: CallToAuthorize,
) => boolean | ZeromeshError | Promise<boolean | ZeromeshError>;

/** What came of asking: true, or the reason that the user gave, empty where there was none. */
export type Verdict = true | string;

/** Asks one after the other, until one does not say `true`. The promise does not reject. */
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
  // What the guard has counted as a failure lets nobody in.
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
