/**
 * The protocol between a measured program and the measuring one: arguments `name=value`, then commands as lines on
 * standard input and one JSON object a line on standard output. The end of the input ends the program, whatever became
 * of its parent.
 */
import process from "node:process";
import { createInterface } from "node:readline";

/** The messages of a measured program; `baseline/c/protocol.h` has the same. */
export type Said =
  /** It listens, or is connected. */
  | { readonly type: "ready"; readonly endpoints: readonly string[]; readonly library?: string }
  /** A client is warm and idle; it had sent that many messages without an answer. */
  | { readonly type: "warm"; readonly sent: number }
  /** A client has measured. */
  | ({ readonly type: "result" } & ClientFigures)
  /** What a program of streams has measured. */
  | { readonly type: "figures"; readonly values: Readonly<Record<string, number>> }
  /** Counters of a program. */
  | ({ readonly type: "stats" } & ProgramStats)
  /** The first answer has come. */
  | { readonly type: "first" };

/** A client's results of one case. Times are in microseconds. */
export interface ClientFigures {
  /** Calls answered, or messages sent. */
  readonly n: number;
  /** Duration in seconds. */
  readonly seconds: number;
  /** Median latency. */
  readonly p50: number;
  /** 99th percentile. */
  readonly p99: number;
  /** 99.9th percentile. */
  readonly p999: number;
  /** Processor time of the client's process. */
  readonly cpuUs: number;
}

/** Counters of a program. */
export interface ProgramStats {
  /** Processor time since its start, in microseconds. */
  readonly cpuUs: number;
  /** Resident memory in bytes. */
  readonly rss: number;
  /** One-way messages received since the last `reset`. */
  readonly received: number;
  /** Rate of these messages per second, from the first to the last mark; 0 when there were too few. */
  readonly rate: number;
}

/** The arguments of a measured program: `name=value`, each at most once. */
export class Arguments {
  readonly #values: ReadonlyMap<string, string>;

  /** @param words The words of the command line. */
  constructor(words: readonly string[] = process.argv.slice(2)) {
    this.#values = new Map(words.map((word) => {
      const at = word.indexOf("=");
      if (at < 1) {
        throw new TypeError(`Cannot read the argument ${JSON.stringify(word)}: it is no name=value`);
      }
      return [word.slice(0, at), word.slice(at + 1)];
    }));
  }

  /** A text; throws if it is missing and has no default. */
  text(name: string, otherwise?: string): string {
    const value = this.#values.get(name) ?? otherwise;
    if (value === undefined) throw new TypeError(`The argument ${name}=… is missing`);
    return value;
  }

  /** A list, separated by commas. */
  list(name: string, otherwise?: string): string[] {
    return this.text(name, otherwise).split(",").filter((part) => part !== "");
  }

  /** A number. */
  number(name: string, otherwise?: number): number {
    const value = Number(this.text(name, otherwise === undefined ? undefined : String(otherwise)));
    if (Number.isNaN(value)) throw new TypeError(`The argument ${name}=… is no number`);
    return value;
  }

  /** Whether the argument is given and not 0. */
  flag(name: string): boolean {
    return this.text(name, "0") !== "0";
  }
}

/** Sends a message to the measuring program. */
export function say(said: Said): void {
  console.log(JSON.stringify(said));
}

const endTimeoutMs = 2_000;

/** The received commands, one after another. */
export class Commands {
  readonly #waiting: ((command: string | null) => void)[] = [];
  readonly #arrived: (string | null)[] = [];

  constructor() {
    createInterface({ input: process.stdin })
      .on("line", (line) => this.#put(line))
      .on("close", () => {
        this.#put(null);
        // The measuring program has gone, so a busy program must end as well.
        setTimeout(() => process.exit(1), endTimeoutMs).unref();
      });
  }

  /** The next command; null at the end. */
  next(): Promise<string | null> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #put(command: string | null): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting(command);
    else this.#arrived.push(command);
  }
}

/** Counts one-way messages. The clock is read at every 256th, because a reading costs as much as a message. */
export class Receipts {
  #received = 0;
  #marked = 0;
  #first = 0;
  #last = 0;

  /** Counts a message. */
  count(): void {
    const received = ++this.#received;
    if ((received & 255) === 1) {
      this.#last = performance.now();
      this.#marked = received;
      if (received === 1) this.#first = this.#last;
    }
  }

  /** Starts again. */
  reset(): void {
    this.#received = this.#marked = 0;
  }

  /** Number and rate of received messages. */
  stats(): ProgramStats {
    const { user, system } = process.cpuUsage();
    const ms = this.#last - this.#first;
    return {
      cpuUs: user + system,
      rss: process.memoryUsage().rss,
      received: this.#received,
      rate: this.#marked > 1 && ms > 0 ? (this.#marked - 1) / (ms / 1000) : 0,
    };
  }
}
