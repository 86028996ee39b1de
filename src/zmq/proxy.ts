import {
  Errno,
  type Handle,
  PollEvent,
  ReceiveFlag,
  type Registration,
  SocketType,
  type Source,
} from "../libzmq/mod.ts";
import { checkCount } from "./arguments.ts";
import { errnoError, lostError, socketError } from "./errors.ts";
import { threadLoop } from "./loop.ts";
import { Socket, socketCore } from "./socket.ts";
import type { SocketCore } from "./socket_core.ts";
import { isTooLong, mayBeTooLong } from "./subscriptions.ts";
import { dropRest, earlierPart, lastPart, offerMessage, readParts } from "./transfer.ts";

const empty = new Uint8Array(0);
const firstByte = new Uint8Array(new ArrayBuffer(1));

/** Whether a socket refused an operation for now, or for good, as its type does: a PUSH receives nothing. */
function isNotReady(result: number): boolean {
  return result === -Errno.EAGAIN || result === -Errno.EFSM || result === -Errno.ENOTSUP;
}

/**
 * Forwards messages between two sockets, in both directions as far as their types can send and receive.
 *
 * It forwards on the thread of the program, between its other work, and never has more than one message of each direction
 * in its hands: what the other side has no room for waits in libzmq's queues.
 *
 * @example Usage
 * ```ts ignore
 * import { Dealer, Proxy, Router } from "zeromesh/zmq";
 *
 * const proxy = new Proxy(new Router(), new Dealer());
 * await proxy.frontEnd.bind("tcp://127.0.0.1:5555");
 * await proxy.backEnd.bind("tcp://127.0.0.1:5556");
 * await proxy.run();
 * ```
 */
export class Proxy<F extends Socket = Socket, B extends Socket = Socket> {
  readonly #frontEnd: F;
  readonly #backEnd: B;
  #run: Run | null = null;

  /**
   * Joins two sockets; no message passes before {@link Proxy.run}.
   *
   * @param frontEnd A socket, bound or connected before `run`.
   * @param backEnd The other one.
   */
  constructor(frontEnd: F, backEnd: B) {
    checkObject(frontEnd, "Front-end");
    checkObject(backEnd, "Back-end");
    checkCount(arguments, 2);
    if (!(frontEnd instanceof Socket) || !(backEnd instanceof Socket)) {
      throw errnoError(Errno.EINVAL, { detail: "A proxy joins two sockets of this module" });
    }
    this.#frontEnd = frontEnd;
    this.#backEnd = backEnd;
    Object.preventExtensions(this);
  }

  /** The socket on one side. */
  get frontEnd(): F {
    return this.#frontEnd;
  }

  /** The socket on the other side. */
  get backEnd(): B {
    return this.#backEnd;
  }

  /**
   * Forwards until {@link terminate}. The sockets cannot be used meanwhile, and are closed at the end.
   *
   * @returns Resolves at the end; rejects with the error of a socket, such as `ETERM` when their context ends.
   * @throws {ErrnoError} `EINVAL` if a socket is neither bound nor connected; `ENOTSUP` for a Server, Radio, Dish or Datagram.
   */
  run(): Promise<void> {
    checkCount(arguments, 0);
    const front = socketCore(this.#frontEnd);
    const back = socketCore(this.#backEnd);
    for (const [core, name] of [[front, "Front"], [back, "Back"]] as const) {
      if (core.rules !== null) {
        const hint =
          `a proxy does not forward its messages: the ${name}-end socket has to be of another type`;
        throw socketError(Errno.ENOTSUP, core.name, "be an end of a proxy", { hint });
      }
      if (core.endpoints > 0 && !core.closed) continue;
      throw errnoError(Errno.EINVAL, {
        message: `${name}-end socket must be bound or connected`,
        detail: "A proxy runs only when both of its sockets are",
      });
    }
    const run = new Run(front, back, () => {
      this.#run = null;
    });
    this.#run = run;
    return run.ended;
  }

  /** Stops forwarding until {@link resume}; messages wait in libzmq's queues. @throws {ErrnoError} `EBADF` if it does not run. */
  pause(): void {
    checkCount(arguments, 0);
    this.#running.pause();
  }

  /** Goes on after {@link pause}. @throws {ErrnoError} `EBADF` if it does not run. */
  resume(): void {
    checkCount(arguments, 0);
    this.#running.resume();
  }

  /** Ends {@link run} and closes both sockets. @throws {ErrnoError} `EBADF` if it does not run. */
  terminate(): void {
    checkCount(arguments, 0);
    this.#running.end();
  }

  get #running(): Run {
    if (this.#run === null) throw errnoError(Errno.EBADF, { detail: "The proxy does not run" });
    return this.#run;
  }
}

/** A proxy that runs. */
class Run {
  readonly ended: Promise<void>;
  readonly #sides: readonly [Side, Side];
  readonly #cores: readonly [SocketCore, SocketCore];
  readonly #over: () => void;
  readonly #settle: { resolve(): void; reject(error: Error): void };
  paused = false;
  over = false;

  /** @throws {ErrnoError} `EBUSY` if one of the sockets is in use. */
  constructor(front: SocketCore, back: SocketCore, over: () => void) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#settle = { resolve, reject };
    this.#over = over;
    this.#cores = [front, back];
    const first = new Side(this, front);
    try {
      this.#sides = [first, new Side(this, back)];
    } catch (error) {
      front.giveBack();
      throw error;
    }
    this.#sides[0].other = this.#sides[1];
    this.#sides[1].other = this.#sides[0];
    threadLoop().reactor.ref();
    for (const side of this.#sides) side.want();
  }

  pause(): void {
    this.paused = true;
    for (const side of this.#sides) side.want();
  }

  resume(): void {
    this.paused = false;
    for (const side of this.#sides) side.want();
  }

  end(error?: Error): void {
    if (this.over) return;
    this.over = true;
    for (const core of this.#cores) {
      core.giveBack();
      core.close();
    }
    threadLoop().reactor.unref();
    this.#over();
    if (error === undefined) this.#settle.resolve();
    else this.#settle.reject(error);
  }
}

/** One socket of a proxy: it reads what the other one sends. */
class Side implements Source {
  other!: Side;
  readonly #run: Run;
  readonly #core: SocketCore;
  readonly #handle: Handle;
  readonly #registration: Registration;
  /** A message from here for which the other socket has no room. */
  #held: readonly Uint8Array[] | null = null;

  constructor(run: Run, core: SocketCore) {
    this.#run = run;
    this.#core = core;
    this.#registration = core.lend(this, () => run.end(this.#error(-Errno.ETERM, "receive")));
    this.#handle = this.#registration.socket;
  }

  /** Waits for what this side can use now: messages, unless one is held already, and room for one of the other side. */
  want(): void {
    const { reactor } = threadLoop();
    const reads = this.#held === null && !this.#run.paused ? PollEvent.POLLIN : 0;
    const writes = this.other.#held === null ? 0 : PollEvent.POLLOUT;
    reactor.want(this.#registration, reads | writes);
    reactor.touch(this.#registration);
  }

  receive(budget: number): number {
    const run = this.#run;
    if (run.over) return 0;
    if (this.other.#held !== null) this.#deliver();
    let count = 0;
    while (count < budget && this.#held === null && !run.paused && !run.over) {
      const result = this.#forward();
      if (isNotReady(result)) break;
      if (result < 0) {
        run.end(this.#error(result, "receive"));
        return 0;
      }
      count++;
    }
    if (run.over) return 0;
    // Sending there may have consumed the signal of a message or of room.
    if (count > 0) threadLoop().reactor.touch(this.other.#registration);
    return count;
  }

  /** Sends the message that the other side holds. */
  #deliver(): void {
    const parts = this.other.#held!;
    const { backend } = threadLoop();
    let sent = offerMessage(backend, this.#handle, parts);
    // The answer may be a millisecond old, and the signal of the room that there is now has come already. Reading the
    // events brings it up to date. What is read here is seen by receive().
    if (isNotReady(sent) && (backend.events(this.#handle) & PollEvent.POLLOUT) !== 0) {
      sent = offerMessage(backend, this.#handle, parts);
    }
    if (isNotReady(sent)) return;
    if (sent < 0) return this.#run.end(this.#error(sent, "send"));
    this.other.#held = null;
    this.want();
    this.other.want();
  }

  /** Forwards one message without copying it. Returns a negated errno when there is none. */
  #forward(): number {
    const { backend } = threadLoop();
    const { other } = this;
    for (let first = true;; first = false) {
      const size = backend.receiveMessage(this.#handle, ReceiveFlag.DONTWAIT);
      if (size < 0) return size;
      const more = backend.messageMore();
      let sent = 0;
      if (other.#refuses(size)) {
        // A subscription of some peer must not end the process. Of a message of several parts this one becomes empty.
        if (more || !first) sent = backend.send(other.#handle, empty, more ? earlierPart : lastPart);
      } else sent = backend.sendMessage(other.#handle, more ? earlierPart : lastPart);
      if (first && isNotReady(sent)) {
        this.#hold(size);
        return 0;
      }
      if (first && sent < 0) {
        dropRest(backend, this.#handle);
        this.#run.end(other.#error(sent, "send"));
        return 0;
      }
      if (!more) return 0;
    }
  }

  /** Whether this socket must not send the message's part that was read. */
  #refuses(size: number): boolean {
    if (this.#core.type !== SocketType.XSUB || !mayBeTooLong(size)) return false;
    threadLoop().backend.messageToBytes(firstByte, 1);
    return isTooLong(size, firstByte[0]);
  }

  /** Keeps the message whose first part was read until the other side has room. */
  #hold(size: number): void {
    const held = readParts(threadLoop().backend, this.#handle, size);
    if (Array.isArray(held)) this.#held = held;
    else if (typeof held !== "number") return this.#run.end(lostError(this.#core.name, held));
    this.want();
    this.other.want();
  }

  #error(result: number, operation: "receive" | "send"): Error {
    return socketError(-result, this.#core.name, `${operation} for the proxy`);
  }
}

function checkObject(value: unknown, name: string): void {
  if (typeof value !== "object" || value === null) throw new TypeError(`${name} must be a socket object`);
}
