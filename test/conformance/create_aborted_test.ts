/** A `signal` that aborts while `Messenger.create` is under way: no instance, its reason, and nothing left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { Messenger, type MessengerOptions, type PeerInfo, type Registration } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { gate, turn } from "./messenger_kit.ts";

/**
 * Makes an instance whose signal aborts after so many steps, and waits for the end; the reason that `create` rejected
 * with, or null where there was an instance before, which the signal closed.
 */
async function abortedAfter(
  steps: number,
  step: () => Promise<void>,
  options: MessengerOptions = {},
): Promise<unknown> {
  const stop = new AbortController();
  const reason = new Error(`aborted after ${steps} steps`);
  const made = Messenger.create({ ...options, signal: stop.signal });
  const outcome = made.then(async (messenger) => {
    await messenger.closed;
    return null;
  }, (error) => {
    assert.equal(error, reason);
    return error;
  });
  for (let i = 0; i < steps; i++) await step();
  stop.abort(reason);
  return await within(outcome, 5_000, `the end of create() aborted after ${steps} steps`);
}

/** Aborts after no step, one, two and so on, until there is an instance before; how often there was none. */
async function abortedAtEveryStep(step: () => Promise<void>, options?: MessengerOptions): Promise<number> {
  for (let steps = 0; steps < 200; steps++) {
    if (await abortedAfter(steps, step, options) === null) return steps;
  }
  assert.fail("there was never an instance");
}

const microtask = (): Promise<void> => Promise.resolve();

test("create() rejects with the reason of a signal that aborts at whatever moment, and leaves nothing behind", async () => {
  await using t = await leakCheck();
  await abortedAtEveryStep(turn);
  // With the thread's context open, so that all of it happens in one turn.
  await t.messenger();
  const discovery = new StaticDiscovery();
  const rejections = await abortedAtEveryStep(microtask, { discovery });
  assert.ok(rejections > 3, `aborted in time only ${rejections} times`);
  assert.deepEqual(await discovery.listPeers(), []);
});

test("an address is free as soon as the create() that would have had it was aborted", async () => {
  await using t = await leakCheck();
  const endpoint = `ipc://@zeromesh-aborted-${crypto.randomUUID()}`;
  await abortedAtEveryStep(microtask, { endpoint });
  const messenger = await t.messenger({ endpoint });
  assert.equal(messenger.endpoint, endpoint);
});

/** A back end that answers when it is told to. */
class SlowDiscovery extends StaticDiscovery {
  asked = 0;
  used = 0;
  readonly #answer: Promise<void>;

  constructor(answer: Promise<void>) {
    super();
    this.#answer = answer;
  }

  override async registerPeer(info: PeerInfo): Promise<Registration> {
    this.asked++;
    await this.#answer;
    return await super.registerPeer(info);
  }

  use(): AsyncDisposable {
    this.used++;
    return {
      [Symbol.asyncDispose]: () => {
        this.used--;
        return Promise.resolve();
      },
    };
  }
}

test("create() waits no longer for a back end when its signal aborts than close() does, and takes back what that registers later", async () => {
  await using t = await leakCheck();
  const answer = gate(t);
  const discovery = new SlowDiscovery(answer.opened);
  const stop = new AbortController();
  const made = Messenger.create({ discovery, signal: stop.signal });
  await until(() => discovery.asked === 1);
  stop.abort("enough");
  assert.equal(await within(made.catch((reason) => reason), 5_000, "the rejection"), "enough");
  assert.equal(discovery.used, 0);
  answer.open();
  await until(async () => (await discovery.listPeers()).length === 0);
  await turn();
  assert.deepEqual(await discovery.listPeers(), []);
});

test("a create() that fails lets its back ends go", async () => {
  await using t = await leakCheck();
  const taken = await t.messenger();
  const discovery = new SlowDiscovery(Promise.resolve());
  await assert.rejects(Messenger.create({ discovery, endpoint: taken.endpoint }), { code: "ADDRESS_IN_USE" });
  assert.equal(discovery.used, 0);
  assert.equal(discovery.asked, 0);
});
