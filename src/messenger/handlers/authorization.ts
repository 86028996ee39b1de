import { Deadline, errorText, type InstanceId, LinkedQueue, QueueNode } from "../../core/mod.ts";
import type { Session } from "../peers/peer.ts";
import { askAll, type Authorize, type CallSubject, type CallToAuthorize, type Verdict } from "./authorize.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The most messages for a handler without the messenger's limits about which nothing is decided: they take up no room. */
export const mostUndecided = 1_024;

/** What an {@link Authorization} needs of the messages that it is asked about. */
export interface AskedCall {
  /** The handler's name. */
  readonly handlerName: string;
  /** The connection it came by. */
  readonly session: Session;
  /** The sender's instance id; null when it never introduced itself. */
  readonly senderInstanceId: InstanceId | null;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its place among the deadlines; negative without one. */
  readonly slot: number;
  /** Its place while nothing is decided; kept by the authorization. */
  asked: object | null;
  /** Whether an answer is still to come, also after the call's end. */
  undecided: boolean;
  /** Copies what is lent, because it has to wait. */
  detach(): void;
}

/** What an {@link Authorization} needs of the dispatcher. */
export interface AuthorizationHost<Call> {
  /** What it works with. */
  readonly parts: SharedParts;
  /** Whether nothing new is begun. */
  readonly draining: boolean;
  /** A message has to wait. Its `asked` is set. */
  waits(call: Call): void;
  /** A message may reach its handler. */
  allowed(call: Call, am: boolean): void;
  /** It may not. @param reason What the user says; empty where that is nothing. */
  forbidden(call: Call, reason: string): void;
  /** The answer about a message has come after its end. */
  decidedLate(call: Call): void;
}

/** Decides which messages reach a handler whose user wants to be asked. */
export class Authorization<Call extends AskedCall> {
  readonly #checks: readonly Authorize[];
  readonly #ordered: "sender" | "global" | null;
  /** Of an ordered handler: those that wait, in the order in which they came, so that they go on in it. */
  readonly #lines = new Map<object | null, LinkedQueue<Waiting<Call>>>();

  /**
   * @param checks Who is asked, one after the other.
   * @param ordered Whose messages keep their order.
   */
  constructor(checks: readonly Authorize[], ordered: "sender" | "global" | null) {
    this.#checks = checks;
    this.#ordered = ordered;
  }

  /** Asks about a message, and lets it go on, or refuses it, at once or later. @param am See `anotherKind`. */
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
    // One without a deadline of its own must not wait for ever. It may have ended in this very moment.
    if (call.undecided && call.slot < 0 && call.asked === asked) {
      parts.deadlines.add(asked, parts.timeoutMs);
    }
  }

  /** A message that waits has ended: whoever waits behind it goes on. */
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

/** A message about which somebody was asked. */
class Waiting<Call> extends Deadline {
  readonly node: QueueNode<Waiting<Call>> = new QueueNode<Waiting<Call>>(this);
  readonly call: Call;
  readonly am: boolean;
  /** Whose line it stands in. */
  readonly key: object | null;
  /** Whether it goes on when its turn comes. */
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

/** A call as the user sees it: nothing of its payload, and nothing that is not looked at. */
export class CallView implements CallToAuthorize {
  readonly #call: AskedCall;
  readonly #ownKey: string | null;
  readonly #subject: CallSubject | null;

  /**
   * @param call The message.
   * @param ownKey The instance's public key, of which its messages to itself are.
   * @param subject What a feature adds.
   */
  constructor(call: AskedCall, ownKey: string | null, subject: CallSubject | null = null) {
    this.#call = call;
    this.#ownKey = ownKey;
    this.#subject = subject;
  }

  get actor(): string | undefined {
    return this.#subject?.actor;
  }

  get channel(): string | undefined {
    return this.#subject?.channel;
  }

  get verb(): string | undefined {
    return this.#subject?.verb;
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
