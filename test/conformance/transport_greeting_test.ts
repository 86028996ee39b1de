/** Asking a stranger for its mechanism over a raw connection. */
import assert from "node:assert/strict";
import process from "node:process";
import { holdProcess, silentLogger, systemClock } from "../../src/core/mod.ts";
import { askMechanism } from "../../src/transport/greeting.ts";
import { Context, MessageProperty, type Socket } from "../../src/libzmq/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { busy, rawContext } from "../support/raw_sockets.ts";
import { test } from "../support/testing.ts";
import { within } from "../support/until.ts";

/** Why it cannot be tried here; false where it can. */
async function reasonToSkip(): Promise<string | false> {
  if (process.platform !== "linux") return "only Linux lets a test end the connection";
  await using context = await Context.create();
  try {
    context.socket("STREAM").set("IPV6", 1).bind(anyPort);
    return false;
  } catch {
    return "this host has no IPv6";
  }
}

// libzmq recognizes a connection that ends only by an address that it writes as it was given.
const anyPort = "tcp://[::1]:*";
const skip = await reasonToSkip();

/** Ends the connection of a socket between the report that it was made and the first bytes that are sent over it. */
function endAtFirst(context: Context, socket: Socket, waitMs: number): Socket {
  const receive = socket.receive.bind(socket);
  let calls = 0;
  socket.receive = () => {
    // The end is not read before libzmq has forgotten the connection.
    if (++calls === 2) return socket.events() < 0 ? [] : null;
    const parts = receive();
    if (parts === null || calls > 1) return parts;
    context.backend.tcpConnections!.shutdown(context.backend.messageProperty(MessageProperty.SRCFD));
    // libzmq's thread has to learn of it, and this one must not before it sends: for about a millisecond it does not look.
    busy(waitMs);
    return parts;
  };
  return socket;
}

test(
  "a stranger that takes no byte of what it is told does not hold the end of the context up",
  { skip },
  async () => {
    await using t = await leakCheck();
    t.use(holdProcess());
    const stranger = (await rawContext(t)).socket("STREAM").set("LINGER", 0).set("IPV6", 1);
    const address = stranger.bind(anyPort);
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (message: string) => void errors.push(message) };
    const context = await rawContext(t, { logger });
    let opened = 0;
    const open = context.socket.bind(context);
    context.socket = (type) => endAtFirst(context, open(type), ++opened % 5 / 10);
    for (let i = 0; i < 25; i++) {
      const asked = askMechanism(
        context,
        systemClock,
        address,
        30,
        new AbortController().signal,
      );
      assert.equal(await asked, null);
    }
    assert.deepEqual(errors, []);
    await within(context.close(), 3_000, "the end of the context");
  },
);
