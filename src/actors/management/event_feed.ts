import { AsyncQueue, errorText } from "../../core/mod.ts";
import type { ActorEvent, ActorEvents } from "../cell/actor_events.ts";
import type { TurnCell } from "../cell/parts.ts";
import type { ActorEnd } from "../references/actor_end.ts";

/** Why an actor has ended, as it travels: an error is its text. */
export interface ManagedEnd {
  /** See {@link ActorEnd}. */
  readonly reason: string;
  /** The text of the error. */
  readonly error?: string | undefined;
  /** The result, as JSON. */
  readonly result?: unknown;
}

/** How a subscription meets a client that is slower than the events. */
export type EventPolicy = "drop" | "block";

/** What sends the events to a client. */
export interface EventSink {
  /** Aborts when the client wants no more, or is gone. */
  readonly cancelled: AbortSignal;
  send(event: unknown): Promise<void>;
  finalize(): Promise<void>;
}

/** What an event feed is about. */
export interface FeedOptions {
  /** The id of the actor, with whose end the feed ends; null for all actors. */
  readonly actor: string | null;
  readonly policy: EventPolicy;
  readonly maxBuffered: number;
}

/**
 * Sends events to one client, from now on, until the actor's end or the client's.
 *
 * With `drop` a slow client loses its oldest events and gets their number. With `block` the actor handles no message until
 * the client has room.
 */
export class EventFeed {
  readonly #options: FeedOptions;
  readonly #queue: AsyncQueue<object>;
  readonly #listening: Disposable;
  /** Resolves when all is sent or the client is gone. */
  readonly over: Promise<void>;

  constructor(events: ActorEvents, sink: EventSink, options: FeedOptions) {
    this.#options = options;
    this.#queue = new AsyncQueue<object>({
      limit: options.maxBuffered,
      overflow: options.policy === "block" ? "wait" : "dropOldest",
      notice: (count) => ({ type: "dropped", count }),
      signal: sink.cancelled,
    });
    this.#listening = events.listen((event, cell) => this.#take(event, cell as TurnCell));
    this.over = this.#run(sink);
  }

  /** Ends it once its events are sent. */
  end(): void {
    this.#listening[Symbol.dispose]();
    this.#queue.end();
  }

  #take(event: ActorEvent, cell: TurnCell): void {
    const { actor } = this.#options;
    if (actor !== null && event.actor !== actor) return;
    const last = actor !== null && event.type === "ended";
    const entry = event.type === "ended" ? { ...event, end: managedEnd(event.end) } : event;
    if (this.#queue.push(entry) || this.#options.policy === "drop") {
      if (last) this.end();
      return;
    }
    const room = this.#queue.put(entry).catch(() => {});
    if (last) void room.then(() => this.end());
    else cell.between(() => room).catch(() => {}); // it has ended
  }

  async #run(sink: EventSink): Promise<void> {
    try {
      for await (const event of this.#queue) await sink.send(event);
      await sink.finalize();
    } catch {
      // The client is gone.
    } finally {
      this.end();
    }
  }
}

/** An actor's end as it travels. */
export function managedEnd({ reason, error, result }: ActorEnd): ManagedEnd {
  return {
    reason,
    ...(error === undefined ? {} : { error: errorText(error) }),
    ...(result === undefined ? {} : { result: shown(result) }),
  };
}

/** A value as JSON shows it. @throws {TypeError} If JSON cannot. */
export function jsonOf(value: unknown): unknown {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}

/** The same; its text if JSON cannot. */
function shown(value: unknown): unknown {
  try {
    return jsonOf(value);
  } catch {
    return String(value);
  }
}
