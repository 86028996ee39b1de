/** The file of the keys that may connect to a broker. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curveKeyPair } from "../../src/mod.ts";
import { clientOf, keyedBroker } from "../conformance/broker_kit.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";

test(
  "a file of keys is read again when it changes, and a broken one changes nothing",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const folder = mkdtempSync(join(tmpdir(), "zeromesh-broker-"));
    t.defer(() => rmSync(folder, { recursive: true }));
    const allowFile = join(folder, "allowed");
    const [one, two] = [await curveKeyPair(), await curveKeyPair()];
    writeFileSync(allowFile, `# sensors\n${one.publicKey} # the first\n\n`);
    const warnings: string[] = [];
    const keep = (): void => {};
    const logger = { debug: keep, info: keep, warn: (text: string) => void warnings.push(text), error: keep };
    const broker = await keyedBroker(t, { allowFile, logger });
    await clientOf(t, broker, { curve: one });
    await assert.rejects(clientOf(t, broker, { curve: two }, 300), { code: "PEER_UNREACHABLE" });
    writeFileSync(allowFile, `${one.publicKey}\nno key\n${two.publicKey}\n`);
    await until(() => warnings.length > 0, { message: "the warning", timeoutMs: 5_000 });
    await assert.rejects(clientOf(t, broker, { curve: two }, 300), { code: "PEER_UNREACHABLE" });
    writeFileSync(allowFile, `${one.publicKey}\n${two.publicKey}\n`);
    const { client } = await clientOf(t, broker, { curve: two });
    assert.equal(client.connected, true);
    await assert.rejects(
      keyedBroker(t, { allowFile: join(folder, "none") }),
      /ENOENT|NotFound|no such file/i,
    );
  },
);
