/** Tries what an instance does with few descriptors left, and prints how each attempt ended. */
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { Messenger, unaryHandler, ZeromeshError } from "../../src/mod.ts";

/** Runs with so many descriptors free. */
async function withFree(free: number, run: () => Promise<string>): Promise<string> {
  const held: number[] = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    // None is left.
  }
  for (const fd of held.splice(held.length - free)) closeSync(fd);
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ZeromeshError)) throw error;
    return `${error.code} ${error.ran} ${(error.details as { errno?: string } | undefined)?.errno}`;
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

// Deno prepares for signals some time after the start, and panics if it finds no descriptor then. A listener makes it do so.
const listener = (): void => {};
process.on("SIGWINCH", listener);
process.off("SIGWINCH", listener);

// Over IPC libzmq aborts when it accepts without a descriptor, and here both ends are in one process.
const options = { endpoint: "tcp://127.0.0.1:0", ipc: process.argv[2] === "create" };
const make = async () => {
  await using messenger = await Messenger.create(options);
  return messenger.endpoint === "" ? "nothing" : "made";
};

if (process.argv[2] === "create") {
  for (const free of [2, 4, 5, 6, 8, 10, 12, 14, 16, 60]) {
    console.log(`create ${free}: ${await withFree(free, make)}`);
  }
} else {
  await using server = await Messenger.create(options);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  await using client = await Messenger.create(options);
  client.registerPeer(server.peerInfo());
  const echo = async () => {
    const answer = await client.unary("echo", {
      to: server.instanceId,
      rawPayload: Uint8Array.of(7),
      timeoutMs: 1_000,
    });
    return `answer ${answer[0]}`;
  };
  for (const free of [0, 1, 2, 3, 4, 5, 6]) console.log(`dial ${free}: ${await withFree(free, echo)}`);
  console.log(`dial after: ${await echo()}`);
}
