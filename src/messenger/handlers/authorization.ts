import { Deadline, errorText, type InstanceId, LinkedQueue, QueueNode } from "../../core/mod.ts";
import type { Session } from "../peers/peer.ts";
import { askAll, type Authorize, type CallSubject, type CallToAuthorize, type Verdict } from "./authorize.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The most undecided messages for handlers without the messenger's limits, which hold no room. */
export const mostUndecided = 1_024;

/** A message that is being authorized. */
export interface AskedCall {
  /** The handler's name. */
  readonly handlerName: string;
  /** Its connection. */
  readonly session: Session;
  /** The sender's instance id; null if it has not introduced itself. */
  readonly senderInstanceId: InstanceId | null;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its slot among the deadlines; negative without one. */
  readonly slot: number;
  /** Its place while it is undecided; kept by the authorization. */
  asked: object | null;
  /** Whether an answer of `authorize` is still to come, also after the call's end. */
  undecided: boolean;
  /** Copies borrowed memory, before a wait. */
  detach(): void;
}

/** The dispatcher of an {@link Authorization}. */
export interface AuthorizationHost<Call> {
  /** The shared parts. */
  readonly parts: SharedParts;
  /** Whether no new messages begin. */
  readonly draining: boolean;
  /** A message has to wait; its `asked` is set. */
  waits(call: Call): void;
  /** A message is admitted to its handler. */
  allowed(call: Call, am: boolean): void;
  /** A message is refused. @param reason The user's reason, or empty. */
  forbidden(call: Call, reason: string): void;
  /** The answer about a message came after the message's end. */
  decidedLate(call: Call): void;
}

/** Authorizes the messages of a handler. */
export class Authorization<Call extends AskedCall> {
  readonly #checks: readonly Authorize[];
  readonly #ordered: "sender" | "global" | null;
  // For ordered handlers: undecided messages in order of arrival, which is kept.
  readonly #lines = new Map<object | null, LinkedQueue<Waiting<Call>>>();

  /**
   * @param checks The functions to ask, in order.
   * @param ordered The messages that keep their order.
   */
  constructor(checks: readonly Authorize[], ordered: "sender" | "global" | null) {
    this.#checks = checks;
    this.#ordered = ordered;
  }

  /** Authorizes a message, which is admitted or refused, now or later. @param am See `anotherKind`. */
  ask(call: Call, am: boolean, host: AuthorizationHost<Call>): void {
    const { parts } = host;
    const verdict = askAll(parts.guard, this.#checks, new CallView(call, parts.curve?.publicKey ?? null));
    const key = this.#ordered === "sender" ? call.session.peer ?? call.session : null;
    if (!(verdict instanceof Promise)) {
      if (verdict !== true) return host.forbidden(call, verdict);
      if (!this.#lines.has(key)) return host.allowed(call, am);
    }
    const asked: Waiting<Call> = new Waiting(call, am, key, () => this.#tooLate(asked, host));
    call.detach();
    call.asked = asked;
    if (this.#ordered !== null) this.#lineOf(key).push(asked.node);
    if (verdict instanceof Promise) {
      call.undecided = true;
      void verdict.then((decided) => {
        call.undecided = false;
        if (call.asked === asked) this.#decide(asked, decided, host);
        else host.decidedLate(call);
      }).catch((error) => parts.logger.error("handling a message failed", { error: errorText(error) }));
    } else asked.allowed = true;
    host.waits(call);
    // Without a deadline of its own it needs one. It may have ended just now.
    if (call.undecided && call.slot < 0 && call.asked === asked) {
      parts.deadlines.add(asked, parts.timeoutMs);
    }
  }

  /** Removes a waiting message that has ended, so that those behind it continue. */
  leave(call: Call, host: AuthorizationHost<Call>): void {
    const asked = call.asked as Waiting<Call>;
    host.parts.deadlines.remove(asked);
    const line = this.#lines.get(asked.key);
    if (line?.remove(asked.node)) this.#go(asked.key, line, host);
  }

  #decide(asked: Waiting<Call>, verdict: Verdict, host: AuthorizationHost<Call>): void {
    const { call, am, key, node } = asked;
    const line = this.#lines.get(key);
    host.parts.deadlines.remove(asked);
    if (verdict !== true) {
      line?.remove(node);
      host.forbidden(call, verdict);
    } else if (line === undefined) return host.allowed(call, am);
    else asked.allowed = true;
    if (line !== undefined) this.#go(key, line, host);
  }

  #tooLate(asked: Waiting<Call>, host: AuthorizationHost<Call>): void {
    const { guard, timeoutMs } = host.parts;
    guard.failed("authorize", new Error(`its promise did not settle within ${timeoutMs} ms`));
    this.#decide(asked, "", host);
  }

  #lineOf(key: object | null): LinkedQueue<Waiting<Call>> {
    let line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, line = new LinkedQueue());
    return line;
  }

  #go(key: object | null, line: LinkedQueue<Waiting<Call>>, host: AuthorizationHost<Call>): void {
    for (let first = line.peek(); first?.allowed && !host.draining; first = line.peek()) {
      line.shift();
      host.allowed(first.call, first.am);
    }
    if (line.size === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
  }
}

/** An undecided message. */
class Waiting<Call> extends Deadline {
  readonly node: QueueNode<Waiting<Call>> = new QueueNode<Waiting<Call>>(this);
  readonly call: Call;
  readonly am: boolean;
  /** Key of its queue. */
  readonly key: object | null;
  /** Whether it is admitted when its turn comes. */
  allowed = false;
  readonly #tooLate: () => void;

  constructor(call: Call, am: boolean, key: object | null, tooLate: () => void) {
    super();
    this.call = call;
    this.am = am;
    this.key = key;
    this.#tooLate = tooLate;
  }

  override expire(): void {
    this.#tooLate();
  }
}

/** A call for the user's `authorize`: without payload, with lazily computed members. */
export class CallView implements CallToAuthorize {
  readonly #call: AskedCall;
  readonly #ownKey: string | null;
  readonly subject: CallSubject | null;

  /**
   * @param call The message.
   * @param ownKey This instance's public key, for messages to itself.
   * @param subject Facts of a feature.
   */
  constructor(call: AskedCall, ownKey: string | null, subject: CallSubject | null = null) {
    this.#call = call;
    this.#ownKey = ownKey;
    this.subject = subject;
  }

  get handlerName(): string {
    return this.#call.handlerName;
  }

  get senderInstanceId(): InstanceId | null {
    return this.#call.senderInstanceId;
  }

  get peerKey(): string | null {
    const { link } = this.#call.session;
    return link.kind === "loopback" ? this.#ownKey : link.peerKey;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#call.headers;
  }

  get address(): string | null {
    return this.#call.session.link.address;
  }
}
