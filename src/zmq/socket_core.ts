import { systemClock } from "../core/mod.ts";
import {
  type Backend,
  type Handle,
  MessageText,
  PollEvent,
  type Registration,
  type Source,
} from "../libzmq/mod.ts";
import type { ContextCore } from "./context_core.ts";
import { rulesOf } from "./draft_rules.ts";
import { checkDraftType, isDraftType, reserve } from "./draft_types.ts";
import { busyError, type ErrnoError, isNotYet, lostError, operationError, unusableError } from "./errors.ts";
import { type Ending, type Loop, threadLoop } from "./loop.ts";
import { copied, type Message, partsOf, sizeOf } from "./messages.ts";
import type { Monitor } from "./monitor.ts";
import { lastPart, offerMessage, takeMessage, type TypeRules } from "./transfer.ts";
import { typeName } from "./type_names.ts";
import { type Operation, Waiting } from "./waiting.ts";

const done: Promise<void> = Promise.resolve();

/** The native parts of the program's sockets. */
export const cores: WeakMap<object, SocketCore> = new WeakMap();

/**
 * The native part of a socket. It does not keep the program's object alive, except while an operation waits, so that an
 * unused socket can be collected, and is closed then.
 *
 * Every operation is tried at once, without asking the socket before. An operation waits only after libzmq has answered
 * that it is not possible, and the reactor watches the socket only as long.
 */
export class SocketCore implements Ending {
  /** libzmq. */
  readonly backend: Backend;
  /** `ZMQ_SNDTIMEO`, in ms; −1 for none. */
  sendTimeout = -1;
  /** `ZMQ_RCVTIMEO`, in ms; −1 for none. */
  receiveTimeout = -1;
  /** Whether {@link userId} is kept, for which each received message costs another call. */
  keepsUserId = false;
  /** The `User-Id` of the message that was received last. */
  userId: string | null = null;
  /** Number of addresses that it is bound or connected to. */
  endpoints = 0;
  /** Reads its events, if somebody observes it. */
  monitor: Monitor | null = null;
  /** Ends a {@link lend}; called when the context ends. */
  endLoan: (() => void) | null = null;
  /** What it shares with all sockets of the thread. */
  readonly loop: Loop;
  /** Its context. */
  readonly context: ContextCore;
  /** Its number in libzmq. */
  readonly type: number;
  /** What its type does in its own way. */
  readonly rules: TypeRules | null;
  readonly #handle: Handle;
  readonly #source: Source = { receive: () => this.#serve() };
  #state: "open" | "blocked" | "closed" = "open";
  #closeWhenOpen = false;
  #registration: Registration | null = null;
  #reading: Waiting<Message[]> | null = null;
  #writing: Waiting<void> | null = null;
  /** The parts of the `send` that waits. */
  #parts: readonly Uint8Array[] = [];
  /** The program's object, while an operation waits. */
  #owner: object | null = null;

  /** Opens a socket of a type of libzmq. @throws {ErrnoError} */
  constructor(context: ContextCore, type: number) {
    const loop = threadLoop();
    const { backend } = loop;
    checkDraftType(type);
    this.loop = loop;
    this.backend = backend;
    this.context = context;
    this.type = type;
    this.rules = rulesOf(backend, type);
    this.#handle = context.open(type);
    if (isDraftType(type)) this.#registration = reserve(loop, type, this.#handle, this.#source);
    context.add(this);
    loop.addSocket(this);
  }

  /** The native socket. @throws {ErrnoError} `EBADF` when it is closed, `EBUSY` while it binds. */
  get handle(): Handle {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
    return this.#handle;
  }

  /** The native socket, while it binds too; null when it is closed. */
  get openHandle(): Handle | null {
    return this.#state === "closed" ? null : this.#handle;
  }

  /** Whether one of the events is there now. */
  has(events: number): boolean {
    if (this.#state === "closed") return false;
    const found = this.backend.events(this.#handle);
    // That consumes the signal for an operation that waits.
    this.touch();
    return found > 0 && (found & events) !== 0;
  }

  /**
   * Receives a message, now or when one comes.
   *
   * @param owner The program's object, which lives as long as the operation waits.
   */
  receive(owner: object): Promise<Message[]> {
    const refusal = this.#reading === null ? this.#refusal() : busyError(this.name, "receive");
    if (refusal !== null) throw refusal;
    if (this.loop.due) return this.#readAfterTurn(owner);
    const message = this.#take();
    if (Array.isArray(message)) {
      this.loop.reactor.took(1);
      return Promise.resolve(message);
    }
    if (this.receiveTimeout === 0 || !isNotYet(message)) {
      return Promise.reject(this.#error(message, "receive"));
    }
    const reading = this.#beginReading(owner);
    this.#hold(reading);
    return reading.promise;
  }

  /** Receives a message that is there, or returns null; for `for await`. @throws {ErrnoError} If it is lost. */
  receiveNow(): Message[] | null {
    if (this.#state !== "open" || this.#reading !== null || this.loop.due) return null;
    const message = this.#take();
    if (typeof message === "number") return null;
    if (!Array.isArray(message)) throw message;
    this.loop.reactor.took(1);
    return message;
  }

  /** Sends a message, now or when there is room. */
  send(owner: object, message: unknown): Promise<void> {
    this.#checkSend();
    if (message instanceof Uint8Array && message.buffer instanceof ArrayBuffer && this.rules === null) {
      const sent = this.backend.send(this.#handle, message, lastPart);
      return sent >= 0 ? this.#sent(message.length) : this.#refused(owner, sent, [message]);
    }
    let parts: readonly Uint8Array[];
    try {
      parts = partsOf(message);
    } catch (error) {
      return Promise.reject(error);
    }
    // The text of a part may come from code of the program, which may have used the socket.
    this.#checkSend();
    const sent = this.#offer(parts);
    return sent >= 0 ? this.#sent(sizeOf(parts)) : this.#refused(owner, sent, parts);
  }

  /** Runs a call, until whose end nothing else may use the socket: a later step of the program. */
  async block(call: () => void): Promise<void> {
    this.#state = "blocked";
    try {
      call();
    } finally {
      // A failure, too, is told in a later step.
      await done;
      this.#unblock();
    }
  }

  /**
   * Lets somebody else wait for the native socket and use it, until {@link giveBack}. Nothing else may use it meanwhile.
   *
   * @param source Is called with its events.
   * @param end Is called when its context ends, and gives it back.
   * @throws {ErrnoError} `EBUSY` while an operation waits.
   */
  lend(source: Source, end: () => void): Registration {
    this.#checkSend();
    if (this.#reading !== null) throw busyError(this.name, "receive");
    this.#unregister();
    // It is touched by those who look at the socket meanwhile.
    this.#registration = this.loop.reactor.add(this.#handle, source, { idle: true });
    this.#state = "blocked";
    this.endLoan = end;
    return this.#registration;
  }

  /** Undoes {@link lend}. */
  giveBack(): void {
    this.endLoan = null;
    this.#unregister();
    this.#unblock();
  }

  /** Notes a call that may have consumed the signal for an operation that waits. */
  touch(): void {
    if (this.#registration !== null) this.loop.reactor.touch(this.#registration);
  }

  /** Its class, as errors name it. */
  get name(): string {
    return typeName(this.type);
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#state === "closed";
  }

  /**
   * Closes the socket; libzmq goes on sending as long as its linger says. Idempotent.
   *
   * @param errno What operations that wait fail with; otherwise what libzmq says, mostly `EAGAIN`.
   */
  close(errno?: number): void {
    if (this.#state === "blocked") this.#closeWhenOpen = true;
    if (this.#state !== "open") return;
    // What is possible succeeds; the rest fails as libzmq says. It may not have looked yet whether the context has ended.
    if (this.#reading !== null || this.#writing !== null) this.has(0);
    const message = this.#reading === null ? 0 : this.#take();
    const sent = this.#writing === null ? 0 : this.#offer(this.#parts);
    this.#state = "closed";
    this.#endReading(errno !== undefined && isNotYet(message) ? -errno : message);
    this.#endWriting(errno !== undefined && isNotYet(sent) ? -errno : sent);
    this.#unregister();
    this.monitor?.release();
    this.backend.closeSocket(this.#handle);
    this.context.remove(this);
    this.loop.removeSocket(this);
  }

  /** {@link close} at the end of the program. */
  endNow(): void {
    this.#unblock();
    this.monitor?.stop();
    this.close();
  }

  #unregister(): void {
    if (this.#registration !== null) this.loop.reactor.remove(this.#registration);
    this.#registration = null;
  }

  #unblock(): void {
    if (this.#state !== "blocked") return;
    this.#state = "open";
    if (this.#closeWhenOpen) this.close();
  }

  #checkSend(): void {
    const refusal = this.#writing === null ? this.#refusal() : busyError(this.name, "send");
    if (refusal !== null) throw refusal;
  }

  #refusal(): Error | null {
    if (this.#state === "open") return null;
    return unusableError(this.name, this.closed, this.endLoan !== null);
  }

  /** Reads one message; see {@link takeMessage}. */
  #take(): Message[] | number | ErrnoError {
    const message = takeMessage(this.backend, this.#handle);
    if (typeof message === "number") return message;
    if (this.keepsUserId) this.userId = this.backend.messageText(MessageText.USER_ID);
    this.loop.spend(Array.isArray(message) ? sizeOf(message) : 0);
    if (this.rules?.label && Array.isArray(message)) message.push(this.rules.label() as Message);
    // A REQ may send again after it has received; and the call may have consumed the signal that there is room.
    if (this.#writing !== null) this.#write();
    return Array.isArray(message) ? message : lostError(this.name, message);
  }

  #offer(parts: readonly Uint8Array[]): number {
    const offer = this.rules?.offer;
    return offer ? offer(this.#handle, parts) : offerMessage(this.backend, this.#handle, parts);
  }

  #error(result: number | ErrnoError, operation: "receive" | "send"): ErrnoError {
    if (typeof result !== "number") return result;
    const timeoutMs = operation === "receive" ? this.receiveTimeout : this.sendTimeout;
    return operationError(-result, this.name, operation, timeoutMs, this.closed);
  }

  #sent(size: number): Promise<void> {
    // A REP may receive again after it has sent; and the call may have consumed the signal of a message.
    if (this.#reading !== null) this.touch();
    this.loop.spend(size);
    return this.loop.due ? this.loop.turn() : done;
  }

  #refused(owner: object, result: number, parts: readonly Uint8Array[]): Promise<void> {
    if (isNotYet(result)) {
      // The answer may be a millisecond old. Reading the events brings it up to date.
      const room = this.has(PollEvent.POLLOUT);
      const again = room ? this.#offer(parts) : result;
      if (again >= 0) return this.#sent(sizeOf(parts));
      if (!room && this.sendTimeout !== 0) {
        const writing = new Waiting<void>();
        this.#writing = writing;
        this.#parts = copied(parts);
        this.#owner = owner;
        this.#hold(writing);
        return writing.promise;
      }
    }
    return Promise.reject(this.#error(result, "send"));
  }

  #readAfterTurn(owner: object): Promise<Message[]> {
    const reading = this.#beginReading(owner);
    this.loop.soon(() => {
      if (this.#reading !== reading) return;
      const message = this.#take();
      if (isNotYet(message) && this.receiveTimeout !== 0) this.#hold(reading);
      else this.#endReading(message);
    });
    return reading.promise;
  }

  #beginReading(owner: object): Waiting<Message[]> {
    this.#owner = owner;
    return this.#reading = new Waiting();
  }

  /** Lets an operation wait, which keeps the process alive, until its event or its time comes. */
  #hold(waiting: Operation): void {
    const reads = waiting === this.#reading;
    const timeout = reads ? this.receiveTimeout : this.sendTimeout;
    if (timeout > 0) {
      waiting.cancelTimer = systemClock.after(timeout, () => {
        if (reads) this.#endReading(this.#take());
        else this.#endWriting(this.#offer(this.#parts));
      });
    }
    waiting.held = true;
    this.loop.reactor.ref();
    this.#want();
  }

  #want(): void {
    const { reactor } = this.loop;
    const reads = this.#reading?.held === true ? PollEvent.POLLIN : 0;
    const writes = this.#writing?.held === true ? PollEvent.POLLOUT : 0;
    this.#registration ??= reactor.add(this.#handle, this.#source, { idle: true });
    reactor.want(this.#registration, reads | writes);
  }

  /** Tries the operations that wait. Returns how many ended. */
  #serve(): number {
    this.loop.turned();
    let count = 0;
    if (this.#reading?.held === true) {
      const message = this.#take();
      if (!isNotYet(message)) {
        count++;
        this.#endReading(message);
      }
    }
    if (this.#writing !== null) count += this.#write();
    return count;
  }

  /** Tries the `send` that waits. Returns 1 when it ended. */
  #write(): number {
    let sent = this.#offer(this.#parts);
    if (isNotYet(sent)) {
      if (!this.has(PollEvent.POLLOUT)) return 0;
      sent = this.#offer(this.#parts);
    }
    this.#endWriting(sent);
    if (this.#reading !== null) this.touch();
    return 1;
  }

  #endReading(message: Message[] | number | ErrnoError): void {
    const reading = this.#reading;
    if (reading === null) return;
    this.#reading = null;
    this.#end(reading);
    if (Array.isArray(message)) reading.resolve(message);
    else reading.reject(this.#error(message, "receive"));
  }

  #endWriting(sent: number): void {
    const writing = this.#writing;
    if (writing === null) return;
    this.#writing = null;
    this.#parts = [];
    this.#end(writing);
    if (sent < 0) writing.reject(this.#error(sent, "send"));
    else writing.resolve();
  }

  #end(waiting: Operation): void {
    waiting.cancelTimer?.();
    if (this.#reading === null && this.#writing === null) this.#owner = null;
    if (!waiting.held) return;
    this.#want();
    this.loop.reactor.unref();
  }
}
