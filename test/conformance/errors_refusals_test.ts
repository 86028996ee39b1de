/** Tests of the log of an instance about connections that it refuses. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { curveKeyPair, type Messenger } from "../../src/mod.ts";
import { noCurve } from "../support/curve.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { PlainVelo } from "../support/plain_velo.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { keptLog } from "./messenger_kit.ts";

type Lines = ReturnType<typeof keptLog>["lines"];

/** Waits for the line with which a refusal is logged. */
async function refused(lines: Lines, why: RegExp): Promise<void> {
  await until(
    () =>
      lines.some(({ message, fields }) =>
        message === "a connection was refused" && why.test(String(fields["reason"]))
      ),
    { message: () => `${why} among ${JSON.stringify(lines)}` },
  );
}

/** Dials in vain. */
async function vainly(client: Messenger, endpoint: string, serverKey?: string): Promise<void> {
  await assert.rejects(client.connect(endpoint, { timeoutMs: 1_000, serverKey }));
}

/** An instance with keys of its own. */
async function keyed(
  t: LeakCheck,
  allow: string[] | "any",
  logger = keptLog().logger,
): Promise<[Messenger, string]> {
  const keys = await curveKeyPair();
  return [await t.messenger({ logger, curve: { ...keys, allow } }), keys.publicKey];
}

test(
  "a listener with keys logs why it refuses a connection: key, server key, or none",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const { logger, lines } = keptLog();
    const [server, serverKey] = await keyed(t, [], logger);
    const [stranger, another] = await keyed(t, "any");
    await vainly(stranger, server.endpoint, serverKey);
    await refused(lines, /key is not allowed \(curve\.allow\)/);
    await vainly(stranger, server.endpoint, another);
    await refused(lines, /another server key/);
    await vainly(await t.messenger(), server.endpoint);
    await refused(lines, /no CURVE keys/);
  },
);

test("a listener logs clients without ZMTP, and peers that name another instance in their _hello", async () => {
  await using t = await leakCheck();
  const { logger, lines } = keptLog();
  const server = await t.messenger({ logger });
  const socket = connect(Number(new URL(server.endpoint).port), "127.0.0.1");
  t.defer(() => void socket.destroy());
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await until(() => lines.length > 0 || socket.readyState === "closed");
  socket.destroy();
  await refused(lines, /ZMTP/);
  const node = await PlainVelo.open(t);
  const before = lines.length;
  // Peer info without an address: nobody could be answered.
  node.send(server.endpoint, 0, `0102${node.nextId()}0600${"5f68656c6c6f"}0000`, {
    peer_info: node.peerInfo({}),
  });
  await until(() => lines.length > before);
  await refused(lines, /No compatible transports found/);
});

test("many refusals for one reason are one line in ten seconds", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const { logger, lines } = keptLog();
  const [server, serverKey] = await keyed(t, [], logger);
  const [stranger] = await keyed(t, "any");
  for (let i = 0; i < 5; i++) await vainly(stranger, server.endpoint, serverKey);
  await refused(lines, /key is not allowed/);
  assert.equal(lines.filter(({ message }) => message === "a connection was refused").length, 1);
});
