/** CURVE between processes, one on each runtime. */
import assert from "node:assert/strict";
import { curveKeyPair } from "../../src/mod.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { currentRuntime } from "../support/runtime.ts";
import { test } from "../support/testing.ts";
import { otherRuntime, start } from "../support/transport_peers.ts";
import { until, within } from "../support/until.ts";

test(
  `${currentRuntime} and ${otherRuntime} know each other by their keys, and throw out others`,
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const [server, client, stranger] = await Promise.all([curveKeyPair(), curveKeyPair(), curveKeyPair()]);
    const curve = { ...server, allow: [client.publicKey] };
    const served = await start(t, { curve }, 0, otherRuntime);
    const { publicKey: serverKey } = server;
    const messenger = await t.messenger({ curve: { ...client, allow: [serverKey] }, redialForMs: 0 });
    const to = await messenger.connect(served.endpoint, { serverKey });
    const payload = crypto.getRandomValues(new Uint8Array(50_000));
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => messenger.unary("echo", { to, rawPayload: payload })),
    );
    for (const answer of answers) assert.deepEqual(answer, payload);
    assert.equal(new TextDecoder().decode(await messenger.unary("who", { to })), to);

    for (const [keys, known] of [[stranger, serverKey], [client, stranger.publicKey]] as const) {
      const other = await t.messenger({ curve: { ...keys, allow: [known] } });
      const attempt = other.connect(served.endpoint, { serverKey: known, timeoutMs: 1_500 });
      await assert.rejects(
        within(attempt, 5_000, "the refusal"),
        (error: { code?: string; ran?: string }) => {
          assert.equal(error.code, "FORBIDDEN");
          assert.equal(error.ran, "no");
          return true;
        },
      );
    }
    const plain = await t.messenger();
    // Either side may end the handshake, so the test tries it often.
    for (let i = 0; i < 20; i++) {
      await assert.rejects(plain.connect(served.endpoint, { timeoutMs: 2_000 }), {
        code: "FORBIDDEN",
        message: /it wants CURVE keys, and this instance has none \(curve\)$/,
      });
    }

    // The refused client left nothing behind.
    assert.equal((await messenger.unary("echo", { to, rawPayload: payload })).length, payload.length);
    const lost = messenger.unary("hold", { to });
    lost.catch(() => {});
    await until(() => messenger.stats().calls.pending === 1);
    await messenger.flush(to);
    served.child.signal("SIGKILL");
    await assert.rejects(within(lost, 1_000, "the end of the call"), {
      code: "PEER_DISCONNECTED",
      ran: "maybe",
    });
  },
);
