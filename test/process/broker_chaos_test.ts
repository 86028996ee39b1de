/** A broker that is killed at random, under many clients whose connections are cut. */
import assert from "node:assert/strict";
import { curveKeyPair } from "../../src/mod.ts";
import { brokerProcess, clientProcess, noticesOf } from "../support/broker_processes.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { prng } from "../support/prng.ts";
import { startProxy } from "../support/proxy.ts";
import { longRun } from "../support/runtime.ts";
import { test } from "../support/testing.ts";
import { pause, until } from "../support/until.ts";

const crowds = 4;
const rounds = longRun ? 40 : 8;

test(
  "100 producers and 200 consumers are all registered after kills of the broker and cuts, and no channel closed",
  {
    skip: noCurve,
  },
  async () => {
    await using t = await leakCheck();
    const random = prng("chaos");
    const heartbeatMs = 500;
    const keys = await curveKeyPair();
    let broker = await brokerProcess(t, { keys, heartbeatMs });
    const proxies = await Promise.all(
      Array.from(
        { length: crowds },
        async () => t.use(await startProxy({ targetPort: portOf(broker.endpoint) })),
      ),
    );
    const names = (of: number): string[] =>
      Array.from({ length: 100 / crowds }, (_, i) => `p${(of + crowds) % crowds}/x${i}`);
    const all = await Promise.all(
      proxies.map(async ({ endpoint }, at) =>
        clientProcess(t, "crowd", { endpoint, publicKey: broker.publicKey }, {
          producers: names(at),
          consumers: [...names(at + 1), ...names(at - 1)],
          messengers: 5,
          curve: await curveKeyPair(),
        })
      ),
    );
    await Promise.all(all.map((one) => one.waitForLine("registered", 30_000)));
    for (let round = 0; round < rounds; round++) {
      if (random.below(3) === 0) {
        broker.child.signal("SIGKILL");
        await broker.child.exit;
        broker = await brokerProcess(t, { keys, heartbeatMs, endpoint: broker.endpoint });
      } else {
        const proxy = random.pick(proxies);
        const kind = random.below(3);
        if (kind === 0) {
          proxy.cut({ reset: random.below(2) === 0 });
        } else if (kind === 1) {
          proxy.refusing = true;
          proxy.cut();
          await pause(random.below(300));
          proxy.refusing = false;
        } else {
          proxy.pause();
          await pause(random.below(300));
          proxy.resume();
        }
      }
      await pause(random.below(250));
    }
    const settled = async (): Promise<boolean> => {
      const channels: [string, string, number][] = await broker.ask("channels");
      return channels.length === 100 &&
        channels.every(([, state, consumers]) => state === "ready" && consumers === 2);
    };
    await until(settled, { timeoutMs: 20_000, message: "every registration to be there, once" });
    for (const one of all) {
      const closing = noticesOf(one).filter(({ type }) =>
        type === "channelClosing" || type === "forcedShutdown"
      );
      assert.deepEqual(closing, []);
    }
  },
);
