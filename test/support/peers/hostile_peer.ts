/**
 * Programs of `hostile_*_test.ts`: `hostile_peer.ts ROLE [ARGUMENT…]`. What they say stands on lines of its own, the
 * first word says what it is.
 */
import { connect, type Socket as TcpSocket } from "node:net";
import process from "node:process";
import { z } from "zod";
import { amHandler, contract, Messenger, unaryHandler } from "../../../src/mod.ts";
import { Context, type Socket } from "../../../src/libzmq/mod.ts";
import { framesOf, type HostileMessage, hostileMessages, systematicMessages } from "../hostile_frames.ts";
import { type Prng, seededPrng } from "../prng.ts";
import { zmtpStart } from "../zmtp.ts";
import { hexOf } from "../../vectors/hex.ts";

/** The longest handshake that libzmq allows here, in milliseconds: HANDSHAKE_IVL. */
const handshakeMs = 3_000;

const schemas = { input: z.object({ a: z.number(), b: z.number() }), output: z.object({ sum: z.number() }) };
const add = contract("add", schemas);
const addPacked = contract("addPacked", { ...schemas, encoding: "msgpack" });

function say(...words: readonly unknown[]): void {
  console.log(words.join(" "));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Connections that send and never read, as a stranger's, as plain Velo's, and as an instance's of ours. */
function connections(context: Context, endpoint: string, random: Prng): Socket[] {
  return [0, 5, 16, 24, 255].map((idSize) => {
    const socket = context.socket("DEALER").set("LINGER", 1_000).set("SNDHWM", 1_000);
    // A routing id must not begin with a zero.
    if (idSize > 0) socket.set("ROUTING_ID", random.bytes(idSize).with(0, 1));
    socket.connect(endpoint);
    return socket;
  });
}

async function sendSoon(socket: Socket, frames: readonly Uint8Array[]): Promise<void> {
  while (!socket.send(frames)) {
    socket.events();
    await turn();
  }
}

/** Reads and forgets what comes back, so that nobody waits for this side. */
function swallow(sockets: readonly Socket[]): void {
  for (const socket of sockets) while (socket.receive() !== null);
}

/** The bytes that a TCP connection sends before, or instead of, the ZMTP handshake. */
function greetings(random: Prng): Uint8Array[] {
  const signature = Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f);
  const null31 = new Uint8Array(64);
  null31.set(signature);
  null31.set([3, 1, 0x4e, 0x55, 0x4c, 0x4c], 10);
  const and = (...more: number[]): Uint8Array => Uint8Array.of(...null31, ...more);
  const ready = [0x04, 0x19, 0x05, ...new TextEncoder().encode("READY"), 0x0b];
  return [
    ...Array.from({ length: 64 }, (_, end) => null31.slice(0, end)),
    ...[0, 1, 2, 3, 4, 0x7f, 0xff].map((major) => null31.with(10, major)),
    null31.with(32, 1), // as a server
    null31.with(12, 0), // no mechanism
    and(0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), // a command of all bytes there can be
    and(0x06, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    and(0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), // a message before READY
    and(0x00, 0x05, 1, 2, 3, 4, 5),
    and(0x04, 0x00), // an empty command
    and(...ready, ...new TextEncoder().encode("Socket-Type"), 0xff, 0xff, 0xff, 0xff), // a property that lies
    and(...ready, ...new TextEncoder().encode("Socket-Type"), 0, 0, 0, 3, 0x52, 0x45, 0x51),
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03), // TLS
    Uint8Array.of(0x01, 0x00), // ZMTP 1
    ...Array.from({ length: 60 }, () => random.bytes(random.below(300))),
    ...Array.from({ length: 60 }, () => Uint8Array.of(...null31, ...random.bytes(random.below(300)))),
    ...Array.from({ length: 60 }, () => {
      const start = and(...ready, ...random.bytes(40));
      return start.with(random.below(start.length), random.below(256));
    }),
  ];
}

function dial(endpoint: string): Promise<TcpSocket | null> {
  const { hostname, port } = new URL(endpoint.replace(/^tcp:/, "http:"));
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
    socket.on("error", () => resolve(null)).resume();
  });
}

const roles: Record<string, (...args: string[]) => Promise<void>> = {
  /** Answers `echo` and two contracts, takes `note`, and tells its counters as `stats`. */
  async serve() {
    const messenger = await Messenger.create();
    messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    messenger.registerHandler(amHandler("note", () => {}));
    messenger.handle(add, ({ input }) => ({ sum: input.a + input.b }));
    messenger.handle(addPacked, ({ input }) => ({ sum: input.a + input.b }));
    messenger.registerHandler(
      unaryHandler("stats", () => new TextEncoder().encode(JSON.stringify(messenger.stats()))),
    );
    say("ready", messenger.endpoint, process.pid);
  },

  /** Sends `count` messages; tells how many of them had a frame at all. */
  async frames(endpoint, count, seed) {
    const random = seededPrng(Number(seed));
    const next = hostileMessages(random);
    const context = await Context.create();
    let sockets = connections(context, endpoint!, random);
    let sent = 0;
    const send = async (message: HostileMessage): Promise<void> => {
      const frames = framesOf(message);
      if (frames.length === 0) return;
      await sendSoon(sockets[sent % sockets.length]!, frames);
      if (++sent % 100 === 0) swallow(sockets);
      if (sent % 100_000 === 0) say("sent", sent);
      if (sent % 20_000 === 0) {
        // New connections now and then: what one of them got wrong must not stay.
        for (const socket of sockets) socket.close({ lingerMs: 1_000 });
        sockets = connections(context, endpoint!, random);
      }
    };
    for (const message of systematicMessages()) await send(message);
    while (sent < Number(count)) await send(next());
    for (const socket of sockets) socket.close({ lingerMs: 5_000 });
    await context.close();
    say("done", sent);
  },

  /**
   * Sends messages that each count once at the receiver, and keeps its connections until its input ends. Batches are
   * left out, because they count by record, and so are requests given back that nobody waits for, which are forgotten.
   */
  async accounted(endpoint, count, seed) {
    const random = seededPrng(Number(seed));
    const next = hostileMessages(random);
    const context = await Context.create();
    const sockets = connections(context, endpoint!, random);
    let sent = 0;
    const send = async (message: HostileMessage): Promise<void> => {
      const { parts, typeFrame, header } = message;
      const type = parts === 3 && typeFrame.length === 1 ? typeFrame[0] : undefined;
      // A fourth part costs the connection, and what else is under way on it.
      if (parts === 0 || parts > 3 || type === 0x40) return;
      // Nobody waits for what was given back, whatever its upper bits say of contract and credit.
      if (type === 4 && ((header[1] ?? 1) & 0x3f) === 0) return;
      // What a contract without an answer calls by mistake is refused before it is checked, and counts as neither.
      if (type === 0 && [0x80, 0x81, 0x82].includes(header[1] ?? 0)) return;
      await sendSoon(sockets[sent % sockets.length]!, framesOf(message));
      if (++sent % 100 === 0) swallow(sockets);
    };
    for (const message of systematicMessages()) await send(message);
    for (let i = 0; i < Number(count); i++) await send(next());
    say("sent", sent);
    let over = false;
    process.stdin.on("end", () => over = true).resume();
    while (!over) {
      swallow(sockets);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const socket of sockets) socket.close({ lingerMs: 0 });
    await context.close();
  },

  /** Speaks broken ZMTP over and over; tells which connections that wait were not thrown out. */
  async zmtp(endpoint, rounds, seed) {
    const random = seededPrng(Number(seed));
    const waiting = new Map<TcpSocket, Uint8Array>();
    let opened = 0;
    let thrownOut = 0;
    for (let round = 0; round < Number(rounds); round++) {
      await Promise.all(
        greetings(random).map(async (bytes, i) => {
          const socket = await dial(endpoint!);
          if (socket === null) return;
          opened++;
          // A third cuts the line, a third closes in order, and a third waits to be thrown out: others in each round.
          const how = (i + round) % 3;
          if (how === 2) {
            waiting.set(socket, bytes);
            socket.on("close", () => {
              if (waiting.delete(socket)) thrownOut++;
            });
          }
          socket.write(bytes, () => {
            if (how === 0) socket.resetAndDestroy?.();
            else if (how === 1) socket.end(() => socket.destroy());
          });
        }),
      );
    }
    const total = waiting.size + thrownOut;
    const end = performance.now() + handshakeMs + 2_000;
    // One greeting is whole, and every third round it waits.
    while (waiting.size > Number(rounds) / 3 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const kept = [...waiting.values()].map((bytes) => hexOf(bytes.subarray(0, 16)));
    say("waited", JSON.stringify({ opened, waiting: total, thrownOut, kept }));
    await new Promise((resolve) => process.stdin.on("end", resolve).resume());
    process.exit(0);
  },

  /** So many connections that come, finish the handshake or do not, and go. */
  async storm(endpoint, count) {
    const started = zmtpStart();
    const words = [started, started.subarray(0, 30), Uint8Array.of(...started, 0, 1, 7), new Uint8Array(0)];
    let came = 0;
    const one = async (i: number): Promise<void> => {
      const socket = await dial(endpoint!);
      if (socket === null) return;
      came++;
      const gone = new Promise((resolve) => socket.once("close", resolve));
      const word = words[i % words.length]!;
      if (word.length > 0) await new Promise((resolve) => socket.write(word, resolve));
      await turn();
      if (i % 3 === 0) socket.resetAndDestroy?.();
      else socket.destroy();
      await gone;
    };
    let next = 0;
    await Promise.all(Array.from({ length: 100 }, async () => {
      while (next < Number(count)) await one(next++);
    }));
    say("done", came);
    process.exit(0);
  },

  /** Opens connections and says nothing, until it is killed. */
  async silent(endpoint, count) {
    const sockets: TcpSocket[] = [];
    for (let i = 0; i < Number(count); i++) {
      const socket = await dial(endpoint!);
      if (socket !== null) sockets.push(socket);
    }
    say("open", sockets.length);
  },
};

const [role = "", ...args] = process.argv.slice(2);
await (roles[role] ?? (() => Promise.reject(new Error(`no role "${role}"`))))(...args);
