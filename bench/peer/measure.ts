/** The measurement: the same loops for the library and for every baseline in JavaScript. */
import process from "node:process";
import { Arguments, type ClientFigures, Commands, Receipts, say } from "./protocol.ts";

/** A connected client. */
export interface Caller<Answer> {
  /** Sends bytes and waits for an answer of the same size. */
  call(payload: Uint8Array): Promise<Answer>;
  /** Size of an answer in bytes. */
  sizeOf(answer: Answer): number;
  /** Sends bytes without an answer; resolves when there is room for more. */
  send?(payload: Uint8Array): Promise<unknown>;
  /** Resolves when all sent bytes have left this process. */
  flush?(): Promise<unknown>;
  /** Ends the connection. */
  close(): Promise<unknown>;
}

/** A listening server. */
export interface Served {
  /** Its endpoints. */
  readonly endpoints: readonly string[];
  /** The library it uses, for the record. */
  readonly library?: string;
}

/** A measured case: `calls:64:1024` is 64 calls in flight of 1 024 bytes, `sends:0:64` one way. */
interface Case {
  readonly what: "calls" | "sends";
  readonly inFlight: number;
  readonly size: number;
}

type Timings = Omit<ClientFigures, "cpuUs">;

/** After this many messages without an answer, the client waits until there is room for more. */
export const sendsBetweenPauses = 256;

/** A server: answers until its input ends. Its commands are `stats` and `reset`. */
export async function runServer(
  open: (args: Arguments, receipts: Receipts) => Promise<Served>,
): Promise<never> {
  const commands = new Commands();
  const receipts = new Receipts();
  say({ type: "ready", ...await open(new Arguments(), receipts) });
  for (;;) {
    const command = await commands.next();
    if (command === null) process.exit(0);
    if (command === "reset") receipts.reset();
    say({ type: "stats", ...receipts.stats() });
  }
}

/** A client: it warms up and measures each case on command. */
export async function runClient<Answer>(open: (args: Arguments) => Promise<Caller<Answer>>): Promise<never> {
  const args = new Arguments();
  const commands = new Commands();
  const caller = await open(args);
  if (args.flag("first")) {
    await caller.call(payloadOf(64));
    say({ type: "first" });
  }
  for (const one of args.list("cases", "").map(parseCase)) {
    if (await commands.next() === null) break;
    const warm = await measure(caller, one, args.number("warmMs"));
    say({ type: "warm", sent: one.what === "sends" ? warm.n : 0 });
    if (await commands.next() === null) break;
    const before = process.cpuUsage();
    const figures = await measure(caller, one, args.number("ms"));
    const { user, system } = process.cpuUsage(before);
    say({ type: "result", ...figures, cpuUs: user + system });
  }
  await commands.next();
  await caller.close();
  process.exit(0);
}

/** Keeps calls in flight for a time. */
export async function measureCalls<Answer>(
  caller: Caller<Answer>,
  options: { inFlight: number; size: number; ms: number },
): Promise<Timings> {
  const { inFlight, size, ms } = options;
  const payload = payloadOf(size);
  const latencies = new Latencies();
  const start = performance.now();
  const lane = async (): Promise<void> => {
    let sent = performance.now();
    for (;;) {
      const got = caller.sizeOf(await caller.call(payload));
      if (got !== size) throw new Error(`Sent ${size} bytes, got ${got}`);
      const now = performance.now();
      latencies.add(now - sent);
      if (now - start >= ms) return;
      sent = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return latencies.figures((performance.now() - start) / 1000);
}

async function measureSends<Answer>(caller: Caller<Answer>, size: number, ms: number): Promise<Timings> {
  const payload = payloadOf(size);
  if (caller.send === undefined) throw new TypeError("This client has no message without an answer");
  const start = performance.now();
  let n = 0;
  do {
    for (let i = 1; i < sendsBetweenPauses; i++) caller.send(payload);
    await caller.send(payload);
    n += sendsBetweenPauses;
  } while (performance.now() - start < ms);
  await caller.flush?.();
  return { n, seconds: (performance.now() - start) / 1000, p50: 0, p99: 0, p999: 0 };
}

function measure<Answer>(caller: Caller<Answer>, one: Case, ms: number): Promise<Timings> {
  const { what, inFlight, size } = one;
  return what === "calls" ? measureCalls(caller, { inFlight, size, ms }) : measureSends(caller, size, ms);
}

function parseCase(text: string): Case {
  const [what, inFlight, size] = text.split(":");
  if (what !== "calls" && what !== "sends") throw new TypeError(`Cannot measure ${JSON.stringify(text)}`);
  return { what, inFlight: Number(inFlight), size: Number(size) };
}

function payloadOf(size: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(size)).fill(7);
}

/** Durations and their percentiles. */
class Latencies {
  #ms = new Float64Array(1 << 16);
  #count = 0;

  add(ms: number): void {
    if (this.#count === this.#ms.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#ms);
      this.#ms = larger;
    }
    this.#ms[this.#count++] = ms;
  }

  figures(seconds: number): Timings {
    const sorted = this.#ms.subarray(0, this.#count).sort();
    const at = (share: number): number =>
      1000 * (sorted[Math.max(0, Math.ceil(this.#count * share) - 1)] ?? 0);
    return { n: this.#count, seconds, p50: at(0.5), p99: at(0.99), p999: at(0.999) };
  }
}
