/** Connections with CURVE keys: who gets in, who is told what, and that nobody waits in vain. */
import assert from "node:assert/strict";
import { noCurve } from "../support/curve.ts";
import { test } from "../support/testing.ts";
import { silentLogger } from "../../src/core/mod.ts";
import { curveKeyPair, Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { bytes, text } from "./messenger_kit.ts";

type Keys = { publicKey: string; secretKey: string };
type Allow = readonly string[] | ((key: string) => boolean | Promise<boolean>) | "any";

function keyPairs(count: number): Promise<Keys[]> {
  return Promise.all(Array.from({ length: count }, () => curveKeyPair()));
}

async function secured(
  t: LeakCheck,
  keys: Keys,
  allow: Allow | undefined,
  options: MessengerOptions = {},
): Promise<Messenger> {
  const messenger = await t.messenger({
    ...options,
    curve: { ...keys, ...(allow === undefined ? {} : { allow }) },
  });
  messenger.registerHandler(unaryHandler("who", () => bytes(messenger.instanceId)));
  return messenger;
}

/** Checks that a connection is refused within three seconds, and how. */
async function refused(attempt: Promise<unknown>, codes: readonly string[], message: RegExp): Promise<void> {
  const began = performance.now();
  await assert.rejects(
    within(attempt, 3_000, "the refusal"),
    (error: Error & { code?: string; ran?: string }) => {
      assert.ok(codes.includes(error.code!), `${error.code}: ${error.message}`);
      assert.match(error.message, message);
      assert.equal(error.ran, "no");
      return true;
    },
  );
  assert.ok(performance.now() - began < 3_000);
}

async function answers(client: Messenger, server: Messenger): Promise<void> {
  assert.equal(
    text(await client.unary("who", { to: server.instanceId, timeoutMs: 3_000 })),
    server.instanceId,
  );
}

test("curveKeyPair() makes keys of 40 characters, each time others", { skip: noCurve }, async () => {
  const pairs = await keyPairs(20);
  const all = pairs.flatMap(({ publicKey, secretKey }) => [publicKey, secretKey]);
  for (const key of all) assert.match(key, /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/);
  assert.equal(new Set(all).size, 40);
});

test("keys of two pairs are refused at create, before anything is bound", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const [one, two] = await keyPairs(2) as [Keys, Keys];
  for (const listen of [true, false]) {
    await assert.rejects(
      t.messenger({ listen, curve: { publicKey: one.publicKey, secretKey: two.secretKey } }),
      (error: Error) => {
        assert.ok(error instanceof TypeError);
        assert.match(error.message, /do not belong together/);
        assert.ok(error.message.includes(two.publicKey));
        assert.ok(!error.message.includes(two.secretKey));
        return true;
      },
    );
  }
});

for (const kind of ["list", "function", "async function", "any"] as const) {
  test(`an allowed key gets in, calls and is called (allow: ${kind})`, { skip: noCurve }, async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(2);
    const [serverKeys, clientKeys] = keys as [Keys, Keys];
    const asked: string[] = [];
    const decide = (key: string): boolean => {
      asked.push(key);
      return key === clientKeys.publicKey;
    };
    const allow = {
      "list": [clientKeys.publicKey],
      "function": decide,
      "async function": async (key: string) => {
        await Promise.resolve();
        return decide(key);
      },
      "any": "any" as const,
    }[kind];
    const server = await secured(t, serverKeys, allow);
    const client = await secured(t, clientKeys, undefined);
    assert.equal(
      await client.connect(server.endpoint, { serverKey: serverKeys.publicKey }),
      server.instanceId,
    );
    await answers(client, server);
    await answers(server, client);
    if (kind.endsWith("function")) assert.deepEqual(asked, [clientKeys.publicKey]);
  });
}

const refusing = {
  "function that throws": () => {
    throw new Error("on purpose");
  },
  "async function": () => Promise.resolve(false),
  "async function that throws": () => Promise.reject(new Error("on purpose")),
  "function that answers a text": () => "no" as unknown as boolean,
  "async function that answers 1": () => Promise.resolve(1 as unknown as boolean),
  "function that answers nothing": () => undefined as unknown as boolean,
};
type Refusing = "list" | "function" | "nobody" | keyof typeof refusing;

for (const kind of ["list", "function", "nobody", ...Object.keys(refusing)] as Refusing[]) {
  test(`a key that is not allowed is told FORBIDDEN (allow: ${kind})`, { skip: noCurve }, async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(3);
    const [serverKeys, clientKeys, friend] = keys as [Keys, Keys, Keys];
    const allow = {
      "list": [friend.publicKey],
      "function": (key: string) => key === friend.publicKey,
      "nobody": undefined,
      ...refusing,
    }[kind];
    const logged: string[] = [];
    const server = await secured(t, serverKeys, allow, {
      logger: { ...silentLogger, error: (message) => void logged.push(message) },
    });
    const client = await secured(t, clientKeys, "any");
    const serverKey = serverKeys.publicKey;
    await refused(
      client.connect(server.endpoint, { serverKey }),
      ["FORBIDDEN"],
      /refused the key of this instance/,
    );
    const peer = client.registerPeer(server.peerInfo());
    await refused(client.unary("who", { to: peer }), ["FORBIDDEN"], /refused the key of this instance/);
    assert.deepEqual(server.peers(), []);
    assert.equal(server.stats().handlers.started, 0);
    // What is no answer is told to the service's owner.
    const faulty = kind.includes("throws") || kind.includes("answers");
    assert.equal(server.stats().faults.allow > 0, faulty);
    assert.equal(logged.includes("allow failed"), faulty);
  });
}

test("another server key than the server's is refused within moments", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const keys = await keyPairs(3);
  const [serverKeys, clientKeys, other] = keys as [Keys, Keys, Keys];
  const server = await secured(t, serverKeys, "any");
  const client = await secured(t, clientKeys, "any");
  await refused(
    client.connect(server.endpoint, { serverKey: other.publicKey }),
    ["FORBIDDEN"],
    /wrong server key/,
  );
  assert.equal(await client.connect(server.endpoint, { serverKey: serverKeys.publicKey }), server.instanceId);
});

test(
  "without a server key nothing is dialled, and the error says what to give",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(2);
    const [serverKeys, clientKeys] = keys as [Keys, Keys];
    const server = await secured(t, serverKeys, "any");
    const client = await secured(t, clientKeys, "any");
    await refused(client.connect(server.endpoint), ["FORBIDDEN"], /serverKey/);
    const plain = await t.messenger();
    await refused(
      (async () => await client.unary("who", { to: client.registerPeer(plain.peerInfo()) }))(),
      ["FORBIDDEN"],
      /knows no key/,
    );
    assert.deepEqual([client.stats().transport.dialled, server.stats().transport.silent], [0, 0]);
  },
);

test(
  "who uses no keys is not let in by a listener that does, and is told so",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(1);
    const server = await secured(t, keys[0]!, "any");
    const plain = await t.messenger();
    for (const endpoint of server.endpoints) {
      await refused(
        plain.connect(endpoint, { timeoutMs: 2_500 }),
        ["FORBIDDEN"],
        /wants CURVE keys.*none \(curve\)$/,
      );
    }
    const peer = plain.registerPeer(server.peerInfo());
    const call = plain.unary("who", { to: peer, timeoutMs: 2_500 });
    await refused(call, ["FORBIDDEN"], /uses CURVE/);
  },
);

test(
  "who uses keys is not let in by a listener that does not, and is told so",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(2);
    const [own, imagined] = keys as [Keys, Keys];
    const server = await t.messenger();
    const client = await secured(t, own, "any");
    await refused(
      client.connect(server.endpoint, { serverKey: imagined.publicKey }),
      ["FORBIDDEN"],
      /CURVE/,
    );
  },
);

for (const ipc of [true, false]) {
  test(`peer info carries the key: a registered peer is dialled with it (${ipc ? "any way" : "TCP"})`, {
    skip: noCurve,
  }, async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(3);
    const [serverKeys, clientKeys, other] = keys as [Keys, Keys, Keys];
    const server = await secured(t, serverKeys, [clientKeys.publicKey], { ipc });
    const client = await secured(t, clientKeys, [serverKeys.publicKey]);
    assert.equal(client.registerPeer(server.peerInfo()), server.instanceId);
    await answers(client, server);
    await answers(server, client);
    // The list holds for every way in.
    const stranger = await secured(t, other, "any");
    const peer = stranger.registerPeer(server.peerInfo());
    await refused(stranger.unary("who", { to: peer }), ["FORBIDDEN"], /refused the key of this instance/);
  });
}

test(
  "an instance that met another by its dialling dials it back with the key it showed",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(2);
    const [one, two] = keys as [Keys, Keys];
    const server = await secured(t, one, [two.publicKey], { features: { "same-connection": false } });
    const client = await secured(t, two, [one.publicKey]);
    await client.connect(server.endpoint, { serverKey: one.publicKey });
    await answers(client, server);
    await answers(server, client);
  },
);

test("an instance that does not listen is answered and called over its own secured connection", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const keys = await keyPairs(2);
  const [serverKeys, clientKeys] = keys as [Keys, Keys];
  const server = await secured(t, serverKeys, [clientKeys.publicKey]);
  const client = await secured(t, clientKeys, undefined, { listen: false });
  await client.connect(server.endpoint, { serverKey: serverKeys.publicKey });
  await answers(client, server);
  await answers(server, client);
  assert.ok((await server.availableHandlers(client.instanceId)).includes("who"));
});

test("an id belongs to the key that showed it first: another key that claims it is refused", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const keys = await keyPairs(3);
  const [serverKeys, ownerKeys, thiefKeys] = keys as [Keys, Keys, Keys];
  const server = await secured(t, serverKeys, "any");
  const owner = await secured(t, ownerKeys, "any");
  await owner.connect(server.endpoint, { serverKey: serverKeys.publicKey });
  const thief = await secured(t, thiefKeys, "any", { instanceId: owner.instanceId });
  await refused(
    thief.connect(server.endpoint, { serverKey: serverKeys.publicKey }),
    ["IDENTITY_MISMATCH"],
    /./,
  );
  await answers(server, owner);
  assert.equal(server.peers().length, 1);
  assert.equal(server.peers()[0]!.endpoints[0], owner.endpoint);
  // The same from the other side: an address where another key answers in the known id's name.
  const reader = await secured(t, (await curveKeyPair()) as Keys, "any");
  reader.registerPeer(owner.peerInfo());
  await refused(
    reader.connect(thief.endpoint, { serverKey: thiefKeys.publicKey }),
    ["IDENTITY_MISMATCH"],
    /another CURVE key/,
  );
  await answers(reader, owner);
});

test("the owner of a key may come back under its id as often as it likes", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const keys = await keyPairs(2);
  const [serverKeys, clientKeys] = keys as [Keys, Keys];
  const server = await secured(t, serverKeys, [clientKeys.publicKey]);
  let instanceId: string | undefined;
  for (let i = 0; i < 5; i++) {
    const client = await secured(t, clientKeys, "any", instanceId === undefined ? {} : { instanceId });
    instanceId = client.instanceId;
    await client.connect(server.endpoint, { serverKey: serverKeys.publicKey });
    await answers(client, server);
    await client.close();
    await until(() => server.peers()[0]?.up === false);
  }
  assert.equal(server.peers().length, 1);
});

test(
  "instances of one process each have their own list, also after another one closed",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const keys = await keyPairs(4);
    const [first, second, one, two] = keys as [Keys, Keys, Keys, Keys];
    const a = await secured(t, first, [one.publicKey]);
    const b = await secured(t, second, [two.publicKey]);
    const plain = await t.messenger();
    const c1 = await secured(t, one, "any");
    const c2 = await secured(t, two, "any");
    assert.equal(await c1.connect(a.endpoint, { serverKey: first.publicKey }), a.instanceId);
    assert.equal(await c2.connect(b.endpoint, { serverKey: second.publicKey }), b.instanceId);
    await refused(
      c1.connect(b.endpoint, { serverKey: second.publicKey }),
      ["FORBIDDEN"],
      /refused the key of this instance/,
    );
    await refused(
      c2.connect(a.endpoint, { serverKey: first.publicKey }),
      ["FORBIDDEN"],
      /refused the key of this instance/,
    );
    const plainClient = await t.messenger();
    assert.equal(await plainClient.connect(plain.endpoint), plain.instanceId);
    await a.close();
    await refused(
      c1.connect(b.endpoint, { serverKey: second.publicKey }),
      ["FORBIDDEN"],
      /refused the key of this instance/,
    );
    const again = await secured(t, two, "any");
    assert.equal(await again.connect(b.endpoint, { serverKey: second.publicKey }), b.instanceId);
  },
);

test("many at once, allowed and not, each get what is theirs", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const keys = await keyPairs(21);
  const [serverKeys, ...others] = keys as [Keys, ...Keys[]];
  const allowed = new Set(others.filter((_, i) => i % 2 === 0).map(({ publicKey }) => publicKey));
  const server = await secured(t, serverKeys, [...allowed]);
  const outcomes = await Promise.all(others.map(async (own) => {
    const client = await secured(t, own, "any", { listen: false });
    try {
      await client.connect(server.endpoint, { serverKey: serverKeys.publicKey, timeoutMs: 3_000 });
      await answers(client, server);
      return "in";
    } catch (error) {
      return (error as { code: string }).code;
    }
  }));
  assert.deepEqual(outcomes, others.map(({ publicKey }) => allowed.has(publicKey) ? "in" : "FORBIDDEN"));
});

test("an invalid key is a TypeError, before a socket is opened or dialled", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const keys = await keyPairs(1);
  const { publicKey, secretKey } = keys[0]!;
  const wrong = [
    undefined,
    null,
    5,
    "",
    "short",
    publicKey + "0",
    `${publicKey.slice(1)} `,
    `${publicKey.slice(1)}~`,
  ];
  for (const key of wrong as string[]) {
    await assert.rejects(Messenger.create({ curve: { publicKey: key, secretKey } }), TypeError);
    await assert.rejects(Messenger.create({ curve: { publicKey, secretKey: key } }), TypeError);
    await assert.rejects(Messenger.create({ curve: { publicKey, secretKey, allow: [key] } }), TypeError);
  }
  for (const allow of [5, {}, "all", publicKey] as unknown as "any"[]) {
    await assert.rejects(Messenger.create({ curve: { publicKey, secretKey, allow } }), TypeError);
  }
  const plain = await t.messenger();
  const client = await t.messenger({ curve: { publicKey, secretKey } });
  for (const serverKey of ["", "short", 5] as string[]) {
    await assert.rejects(client.connect(plain.endpoint, { serverKey }), TypeError);
  }
  await assert.rejects(plain.connect(plain.endpoint, { serverKey: publicKey }), TypeError);
  // What is wrong with the endpoint is told before a key is missed.
  await assert.rejects(client.connect("tcp:/x"), { code: "ENDPOINT_INVALID" });
  await assert.rejects(client.connect(plain.endpoint), { code: "FORBIDDEN" });
});
