import { Deadline, onAbort, validate, ZeromeshError } from "../../core/mod.ts";
import type { ActorAddress } from "../references/address.ts";
import type { DeferredReply } from "../definition/context.ts";
import type { AskEntry } from "../definition/behaviour.ts";
import { askLate, handlerFailed, noSuchMessage } from "../failures.ts";
import { HandlerContext } from "./handler_context.ts";
import { PendingInput, skipped, withInput } from "./input.ts";
import type { RoomWait } from "./mailbox.ts";
import { type OpenReply, type Origin, type Sender, Turn, type TurnCell, type Waited } from "./parts.ts";

/** How an ask is waited for. */
export interface AskWait extends RoomWait {
  /** The handler that waits for it; null for others. */
  readonly asker: Sender | null;
  /** Whether the answer is given as the handler returned it, checked, but not converted by its schema. */
  readonly raw: boolean;
  /** Takes the answer, instead of the promise; null for the promise. */
  readonly taker: AskTaker | null;
}

/** Converts the answer of an ask for its asker; it may throw. */
export type AnswerConversion = (answer: unknown) => unknown;

/** Takes the answer of an ask, or its failure: one of both, once. */
export interface AskTaker {
  /** The answer. */
  answered(value: unknown): void;
  /** The failure. @param ran Whether its handler was called. */
  failed(error: unknown, ran: boolean): void;
  /** Ends the ask once nobody waits for its answer any more, apart from its deadline. */
  watch(ask: Ask): void;
}

/** An ask that waits for its answer. */
export class Ask extends Deadline implements Waited {
  /** The answer; null if there is a taker. */
  readonly promise: Promise<unknown> | null;
  readonly cell: TurnCell;
  readonly turn: AskTurn;
  /** The deferred reply; null without one. */
  reply: { forget(): void } | null = null;
  /** Whether it has its answer, or nobody waits any more. */
  ended = false;
  readonly #wait: AskWait;
  readonly #convert: AnswerConversion | null;
  #waits = false;
  #asker: TurnCell | null = null;
  #listening: Disposable | null = null;
  #resolve: ((value: unknown) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;

  constructor(
    cell: TurnCell,
    origin: Origin,
    entry: AskEntry,
    input: unknown,
    wait: AskWait,
    convert: AnswerConversion | null,
  ) {
    super();
    this.cell = cell;
    this.#wait = wait;
    this.#convert = convert;
    this.promise = wait.taker !== null ? null : new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.turn = new AskTurn(origin, entry, input, this);
  }

  /** Whether the answer is given as the handler returned it. */
  get raw(): boolean {
    return this.#wait.raw || this.#convert !== null;
  }

  /** The moment on the clock at which it is given up. */
  get deadlineAt(): number {
    this.begin();
    return this.dueAt;
  }

  /** Begins to wait for the answer. One that is answered at once, in the call that brought it, need not wait. */
  begin(): void {
    if (this.#waits || this.ended) return;
    this.#waits = true;
    const { host } = this.cell;
    const { timeoutMs, signal, asker, taker } = this.#wait;
    if (asker?.waiting === true) {
      this.#asker = asker.cell;
      (this.#asker.waits ??= new Set()).add(this);
    }
    host.deadlines.add(this, timeoutMs);
    if (signal !== undefined) this.#listening = onAbort(signal, () => this.giveUp(signal.reason));
    // Whoever asks from another process keeps that one alive.
    if (taker === null) host.holding.begin();
    else taker.watch(this);
  }

  get deferred(): boolean {
    return this.reply !== null;
  }

  expire(): void {
    const { name } = this.turn;
    // Before its turn it certainly did not run.
    this.giveUp(askLate(name, this.#wait.timeoutMs, this.turn.started ? "maybe" : "no"));
  }

  /** Answers it. Returns whether somebody waited. */
  resolve(value: unknown): boolean {
    if (!this.#end()) return this.#tooLate();
    try {
      const answer = this.#convert === null ? value : this.#convert(value);
      const { taker } = this.#wait;
      if (taker === null) this.#resolve!(answer);
      else taker.answered(answer);
    } catch (error) {
      this.#refuse(error);
    }
    return true;
  }

  /** Fails it. Returns whether somebody waited. */
  reject(error: unknown): boolean {
    if (!this.#end()) return this.#tooLate();
    this.#refuse(error);
    return true;
  }

  /** Fails it if it has not ended. */
  fail(error: unknown): void {
    if (!this.ended) this.reject(error);
  }

  /** Ends it, since nobody waits any more. */
  giveUp(reason: unknown): void {
    if (!this.#end()) return;
    this.#refuse(reason);
    if (!this.cell.remove(this.turn)) this.turn.abort(reason);
  }

  #refuse(error: unknown): void {
    const { taker } = this.#wait;
    if (taker === null) this.#reject!(error);
    else taker.failed(error, this.turn.started);
  }

  #end(): boolean {
    if (this.ended) return false;
    this.ended = true;
    if (!this.#waits) return true;
    this.cell.host.deadlines.remove(this);
    if (this.#wait.taker === null) this.cell.host.holding.end();
    this.#listening?.[Symbol.dispose]();
    this.#asker?.waits?.delete(this);
    this.reply?.forget();
    return true;
  }

  #tooLate(): boolean {
    const { cell, turn: { name, origin: { sender } } } = this;
    cell.host.deadLetters.add({
      reason: "lateReply",
      target: cell.address,
      kind: "reply",
      name,
      sender,
      error: null,
    });
    return false;
  }
}

/** An ask in a mailbox. */
export class AskTurn extends Turn {
  /** Whether its handler was called. */
  started = false;
  readonly #entry: AskEntry;
  readonly #input: unknown;
  readonly #ask: Ask;

  constructor(origin: Origin, entry: AskEntry, input: unknown, ask: Ask) {
    super(origin);
    this.#entry = entry;
    this.#input = input;
    this.#ask = ask;
  }

  get name(): string {
    return this.#entry.name;
  }

  get kind(): "ask" {
    return "ask";
  }

  get counted(): true {
    return true;
  }

  run(cell: TurnCell): unknown {
    const entry = this.entryOf(cell);
    if (entry === undefined) {
      this.#ask.reject(noSuchMessage(cell, "ask", this.name, cell.behaviour.contract.name));
      return undefined;
    }
    this.started = true;
    const input = this.#input;
    const context = this.context = new AskHandlerContext(cell, this, this.#ask);
    return input instanceof PendingInput
      ? withInput(input, entry.handler, context)
      : entry.handler(context, input);
  }

  /** The entry by which it is handled: an update may have replaced it, or taken it away. */
  entryOf({ behaviour }: TurnCell): AskEntry | undefined {
    const entry = this.#entry;
    return entry.givenBy === behaviour.ask ? entry : behaviour.ask(entry.name);
  }

  override done(cell: TurnCell, result: unknown): void {
    if (this.#ask.deferred || !this.started || result === skipped) return;
    answer(this.#ask, cell, result);
  }

  override failed(_cell: TurnCell, error: unknown): void {
    this.#ask.fail(handlerFailed(this.name, error));
  }

  override cutShort(error: ZeromeshError): void {
    super.cutShort(error);
    this.#ask.fail(error);
  }

  dropped(_cell: TurnCell, _reason: "dropped" | "stopped", error: ZeromeshError): void {
    this.#ask.reject(error);
  }
}

/** Answers an ask with what its handler returned, once that is checked. */
function answer(ask: Ask, cell: TurnCell, result: unknown): boolean {
  if (ask.ended) return ask.resolve(undefined);
  const { turn } = ask;
  const entry = turn.entryOf(cell);
  if (entry === undefined) {
    return ask.reject(noSuchMessage(cell, "ask", turn.name, cell.behaviour.contract.name));
  }
  try {
    const checked = validate(entry.output, result, entry.invalidOutput);
    if (checked instanceof Promise) answerLater(ask, checked, result);
    else return ask.resolve(ask.raw ? result : checked);
    return true;
  } catch (error) {
    return ask.reject(error);
  }
}

function answerLater(ask: Ask, checked: Promise<unknown>, result: unknown): void {
  checked.then((value) => ask.resolve(ask.raw ? result : value), (error) => ask.reject(error));
}

class AskHandlerContext extends HandlerContext {
  readonly #ask: Ask;
  #reply: Reply | null = null;

  constructor(cell: TurnCell, turn: Turn, ask: Ask) {
    super(cell, turn);
    this.#ask = ask;
  }

  protected override get deadlineAt(): number {
    return this.#ask.deadlineAt;
  }

  override get waiting(): boolean {
    return !this.#ask.deferred && super.waiting;
  }

  defer(): DeferredReply {
    if (this.#reply !== null) return this.#reply;
    const { cell } = this;
    const { maxDeferred } = cell.host.options;
    if ((cell.replies?.size ?? 0) >= maxDeferred) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot defer the answer to "${this.#ask.turn.name}": the actor has maxDeferred (${maxDeferred}) open replies`,
      );
    }
    // It waits for nobody any more; after its handler's end these are the waits of another message.
    if (this.waiting) cell.waits = null;
    this.#reply = new Reply(cell, this.#ask, this);
    this.#ask.reply = this.#reply;
    return this.#reply;
  }
}

let replies = 0;

/** A deferred reply. */
class Reply implements DeferredReply, OpenReply {
  readonly id: number = ++replies;
  readonly #cell: TurnCell;
  readonly #ask: Ask;
  readonly #context: HandlerContext;

  constructor(cell: TurnCell, ask: Ask, context: HandlerContext) {
    this.#cell = cell;
    this.#ask = ask;
    this.#context = context;
    if (!ask.ended) (cell.replies ??= new Set()).add(this);
  }

  get name(): string {
    return this.#ask.turn.name;
  }

  get sender(): ActorAddress | null {
    return this.#context.sender;
  }

  get open(): boolean {
    return !this.#ask.ended;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  send(output: unknown): boolean {
    return answer(this.#ask, this.#cell, output);
  }

  fail(error: unknown): boolean {
    return this.#ask.reject(handlerFailed(this.name, error));
  }

  stopped(error: ZeromeshError): void {
    this.#context.abort(error);
    this.#ask.fail(error);
  }

  /** Takes it from the actor's list. */
  forget(): void {
    this.#cell.replies?.delete(this);
  }
}
