import assert from "node:assert/strict";
import { test } from "node:test";
import type { Socket } from "../../src/libzmq/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import {
  Inbox,
  linked,
  nextOf,
  numbered,
  numberIn,
  parts,
  rawContext,
  sendSoon,
  texts,
  turn,
  waiterKinds,
} from "../support/raw_sockets.ts";
import { until } from "../support/until.ts";

/** Bytes that tell where they belong. */
function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >>> 8) + size) & 0xff;
  return bytes;
}

/** Without an assertion for each of millions of bytes. */
function same(a: readonly Uint8Array[], b: readonly Uint8Array[]): void {
  assert.deepEqual(a.map((part) => part.length), b.map((part) => part.length));
  for (let i = 0; i < a.length; i++) {
    const [left, right] = [a[i]!, b[i]!];
    for (let at = 0; at < left.length; at++) {
      if (left[at] !== right[at]) assert.fail(`part ${i} differs at byte ${at}`);
    }
  }
}

const sizes = [
  0,
  1,
  2,
  28,
  29,
  30,
  32,
  33,
  34,
  254,
  255,
  256,
  257,
  999,
  1_000,
  1_001,
  4_096,
  8_191,
  8_192,
  8_193,
  65_535,
  65_536,
  65_537,
  1_000_000,
  2 ** 20,
  8 * 2 ** 20,
];

for (const endpoint of ["tcp://127.0.0.1:*", "inproc://messages"]) {
  test(`a message of any size arrives as it was sent, whatever came before (${endpoint.split(":")[0]})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t);
    const { bound, connected } = linked(context, "PAIR", "PAIR", { endpoint });
    for (const size of sizes) {
      const message = [pattern(size)];
      await sendSoon(connected, message);
      same(await nextOf(bound), message);
    }
    // From large to small, so that nothing of the larger one is left in a buffer.
    for (const size of [...sizes].reverse().slice(4)) {
      const message = [pattern(size), pattern(1), pattern(size)];
      await sendSoon(bound, message);
      same(await nextOf(connected), message);
    }
  });

  test(`a message of 1 to 200 parts arrives whole (${endpoint.split(":")[0]})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t);
    const { bound, connected } = linked(context, "PAIR", "PAIR", { endpoint });
    const random = prng("parts of messages");
    for (const count of [1, 2, 3, 4, 5, 16, 63, 64, 65, 100, 199, 200]) {
      const message = Array.from({ length: count }, () => pattern(random.pick([0, 1, 7, 33, 300, 5_000])));
      await sendSoon(connected, message);
      same(await nextOf(bound), message);
    }
    const empty = Array.from({ length: 200 }, () => new Uint8Array(0));
    await sendSoon(connected, empty);
    same(await nextOf(bound), empty);
  });
}

test("memory of a sent message may be changed, cut and given away right after", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const { bound, connected } = linked(context, "PAIR", "PAIR");
  for (const size of [1, 8, 33, 34, 999, 1_001, 100_000]) {
    const bytes = pattern(size + 16).subarray(8, size + 8);
    const copy = bytes.slice();
    await sendSoon(connected, [bytes, bytes]);
    bytes.fill(0);
    (bytes.buffer as ArrayBuffer).transfer();
    same(await nextOf(bound), [copy, copy]);
  }
});

test("memory of a received message belongs to the receiver for good", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const { bound, connected } = linked(context, "PAIR", "PAIR");
  const kept: Uint8Array[][] = [];
  for (let i = 0; i < 50; i++) {
    await sendSoon(connected, [pattern(i), pattern(i * 100)]);
    kept.push(await nextOf(bound));
  }
  kept.forEach((message, i) => same(message, [pattern(i), pattern(i * 100)]));
  const buffers = new Set(kept.flat().map((part) => part.buffer));
  assert.equal(buffers.size, 100);
});

test("send() without parts is a RangeError, and sends nothing", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const { bound, connected } = linked(context, "PAIR", "PAIR", { endpoint: "inproc://none" });
  assert.throws(() => connected.send([]), RangeError);
  connected.send(parts("after"));
  assert.deepEqual(texts(await nextOf(bound)), ["after"]);
  assert.equal(bound.receive(), null);
});

for (const waiter of waiterKinds) {
  test(`PAIR sockets talk both ways (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { bound, connected } = linked(context, "PAIR", "PAIR");
    const [left, right] = [new Inbox(bound), new Inbox(connected)];
    await sendSoon(bound, parts("from the left", "1"));
    await sendSoon(connected, parts("from the right", "2"));
    await until(() => left.count === 1 && right.count === 1);
    assert.deepEqual(texts(left.messages[0]!), ["from the right", "2"]);
    assert.deepEqual(texts(right.messages[0]!), ["from the left", "1"]);
  });

  test(`a SUB gets what it subscribed to, and no more once it unsubscribed (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { bound: pub, connected: sub } = linked(context, "PUB", "SUB");
    const inbox = new Inbox(sub);
    sub.set("SUBSCRIBE", "a").set("SUBSCRIBE", Uint8Array.of(1, 2));
    await until(() => {
      pub.send(parts("a", "ready"));
      return inbox.count > 0;
    });
    pub.send(parts("b", "not wanted"));
    pub.send([Uint8Array.of(1, 2, 3), Uint8Array.of(9)]);
    pub.send(parts("abc", "wanted"));
    await until(() => inbox.messages.some((message) => texts(message)[1] === "wanted"));
    assert.deepEqual(inbox.messages.filter((message) => texts(message)[1] !== "ready"), [
      [Uint8Array.of(1, 2, 3), Uint8Array.of(9)],
      parts("abc", "wanted"),
    ]);
    sub.set("UNSUBSCRIBE", "a");
    await until(() => {
      const before = inbox.count;
      pub.send(parts("a", "gone?"));
      pub.send([Uint8Array.of(1, 2)]);
      return until(() => inbox.count > before).then(() =>
        inbox.messages.slice(before).every((message) => message.length === 1)
      );
    });
  });

  test(`PUSH hands work to every PULL in turn (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { bound: push, connected: first, endpoint } = linked(context, "PUSH", "PULL");
    const second = context.socket("PULL");
    second.connect(endpoint);
    const [one, two] = [new Inbox(first), new Inbox(second)];
    await until(() => {
      push.send(parts("warm"));
      return one.count > 0 && two.count > 0;
    });
    const before = [one.count, two.count] as const;
    for (let i = 0; i < 20; i++) assert.equal(push.send([numbered(i)]), true);
    await until(() => one.count + two.count >= before[0] + before[1] + 20);
    const work = [...one.messages, ...two.messages].filter((message) => message[0]!.length === 8).map(
      numberIn,
    );
    assert.deepEqual(work.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
    assert.ok(one.count > before[0] && two.count > before[1]);
  });

  test(`REQ and REP take turns, and out of turn is an error that harms nothing (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { bound: rep, connected: req } = linked(context, "REP", "REQ");
    const answers = new Inbox(req);
    new Inbox(rep, (message) => void rep.send([...parts("re"), ...message]));
    for (let i = 0; i < 20; i++) {
      assert.equal(req.send([numbered(i)]), true);
      assert.throws(() => req.send([numbered(i)]), {
        code: "ZMQ_ERROR",
        message: /EFSM|cannot be accomplished/,
      });
      await until(() => answers.count === i + 1);
    }
    assert.throws(() => rep.send(parts("unasked")), { code: "ZMQ_ERROR" });
    assert.deepEqual(answers.messages.map(numberIn), Array.from({ length: 20 }, (_, i) => i));
  });

  test(`a ROUTER answers each of many DEALERs by its routing id (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const router = context.socket("ROUTER").set("ROUTER_MANDATORY", 1);
    const endpoint = router.bind("tcp://127.0.0.1:*");
    new Inbox(router, ([id, ...message]) => void router.send([id!, ...message, id!]));
    const dealers: { id: Uint8Array; socket: Socket; inbox: Inbox }[] = [];
    for (let i = 0; i < 20; i++) {
      const id = Uint8Array.of(i + 1, 255, 0, i);
      const socket = context.socket("DEALER").set("ROUTING_ID", id);
      socket.connect(endpoint);
      dealers.push({ id, socket, inbox: new Inbox(socket) });
    }
    for (let i = 0; i < 200; i++) {
      assert.equal(dealers[i % 20]!.socket.send([new Uint8Array(0), numbered(i)]), true);
    }
    await until(() => dealers.every(({ inbox }) => inbox.count === 10));
    dealers.forEach(({ id, inbox }, i) => {
      assert.deepEqual(
        inbox.messages,
        Array.from({ length: 10 }, (_, round) => [new Uint8Array(0), numbered(round * 20 + i), id]),
      );
    });
  });
}

test("a ROUTER reports a routing id without a peer, takes nothing, and goes on working", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER").set("ROUTER_MANDATORY", 1);
  const endpoint = router.bind("tcp://127.0.0.1:*");
  const id = Uint8Array.of(7, 7);
  const dealer = context.socket("DEALER").set("ROUTING_ID", id);
  dealer.connect(endpoint);
  dealer.send(parts("hello"));
  await nextOf(router);
  for (let i = 0; i < 3; i++) {
    assert.throws(() => router.send([Uint8Array.of(8), ...parts("to", "nobody")]), {
      code: "ZMQ_ERROR",
      message: /EHOSTUNREACH/,
    });
    assert.equal(router.send([id, ...parts("to", "somebody", String(i))]), true);
    assert.deepEqual(texts(await nextOf(dealer)), ["to", "somebody", String(i)]);
  }
});

for (const [kind, prepare] of [["a full peer", true], ["nobody there", false]] as const) {
  test(`send() is false at the high-water mark (${kind}), and takes nothing`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t);
    const pull = context.socket("PULL").set("RCVHWM", 5);
    const endpoint = pull.bind("inproc://mark");
    const push = context.socket("PUSH").set("SNDHWM", 5);
    if (prepare) push.connect(endpoint);
    let taken = 0;
    while (push.send([...parts("a"), numbered(taken)])) taken++;
    assert.equal(taken, prepare ? 10 : 0);
    for (let i = 0; i < 100; i++) assert.equal(push.send([...parts("never"), numbered(99)]), false);
    if (!prepare) push.connect(endpoint);
    // With room again, what was refused is not there and what follows is whole.
    const seen: number[] = [];
    for (let next = taken; seen.length < 40;) {
      const message = pull.receive();
      if (message !== null) {
        assert.deepEqual(texts(message.slice(0, 1)), ["a"]);
        seen.push(numberIn(message));
      }
      push.events();
      if (push.send([...parts("a"), numbered(next)])) next++;
      await turn();
    }
    assert.deepEqual(seen, Array.from({ length: 40 }, (_, i) => i));
  });
}

test("a ROUTER at one peer's high-water mark still serves the others", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER").set("ROUTER_MANDATORY", 1).set("SNDHWM", 2);
  const endpoint = router.bind("inproc://router-mark");
  const [deaf, lively] = [Uint8Array.of(1), Uint8Array.of(2)].map((id) => {
    const socket = context.socket("DEALER").set("ROUTING_ID", id).set("RCVHWM", 2);
    socket.connect(endpoint);
    socket.send(parts("hello"));
    return { id, socket };
  }) as [{ id: Uint8Array; socket: Socket }, { id: Uint8Array; socket: Socket }];
  assert.deepEqual([await nextOf(router), await nextOf(router)].map(([id]) => id![0]), [1, 2]);
  let taken = 0;
  while (router.send([deaf.id, numbered(taken)])) taken++;
  assert.equal(taken, 4);
  for (let i = 0; i < 50; i++) {
    assert.equal(router.send([deaf.id, numbered(i)]), false);
    await until(() => {
      // The answer of a send may be a millisecond old; reading the events brings it up to date.
      router.events();
      return router.send([lively.id, numbered(i)]);
    }, { intervalMs: 1 });
    assert.equal(numberIn(await nextOf(lively.socket)), i);
  }
  for (let i = 0; i < taken; i++) assert.equal(numberIn(await nextOf(deaf.socket)), i);
  await until(() => {
    router.events();
    return router.send([deaf.id, numbered(taken)]);
  });
  assert.equal(numberIn(await nextOf(deaf.socket)), taken);
});

test("random messages of random shapes in both directions stay whole and in order", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const { bound, connected } = linked(context, "PAIR", "PAIR", {
    prepare: (socket) => void socket.set("SNDHWM", 20).set("RCVHWM", 20),
  });
  const random = prng("message shapes");
  const shapes = Array.from(
    { length: 300 },
    () =>
      Array.from(
        { length: 1 + random.below(12) },
        () => random.below(4) === 0 ? random.below(70_000) : random.below(64),
      ),
  );
  const make = (shape: readonly number[]) => shape.map(pattern);
  let [left, right] = [0, 0];
  const [fromRight, fromLeft] = [new Inbox(bound), new Inbox(connected)];
  await until(() => {
    while (left < shapes.length && bound.send(make(shapes[left]!))) left++;
    while (right < shapes.length && connected.send(make(shapes[right]!))) right++;
    return fromLeft.count === shapes.length && fromRight.count === shapes.length;
  }, { intervalMs: 1, timeoutMs: 20_000 });
  shapes.forEach((shape, i) => {
    same(fromLeft.messages[i]!, make(shape));
    same(fromRight.messages[i]!, make(shape));
  });
});
