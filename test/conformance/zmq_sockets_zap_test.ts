/** Authentication with ZAP in `zeromesh/zmq`: the program's own handler decides over NULL, PLAIN and CURVE. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { within } from "../support/until.ts";
import * as zmq from "zeromesh/zmq";

/** A question of libzmq's. */
interface Question {
  readonly domain: string;
  readonly mechanism: string;
  readonly credentials: readonly string[];
}

type Answer = readonly (string | Uint8Array | null)[];

/** A handler of all connections of its context, which it answers with status, text, user and metadata. */
function handler(
  decide: (question: Question) => Answer,
): { socket: zmq.Reply; questions: Question[]; ended: Promise<void> } {
  const socket = new zmq.Reply();
  const questions: Question[] = [];
  socket.bindSync("inproc://zeromq.zap.01");
  const ended = (async () => {
    for await (const [version, id, domain, , , mechanism, ...credentials] of socket) {
      const question = {
        domain: String(domain),
        mechanism: String(mechanism),
        credentials: credentials.map((part) =>
          String(mechanism) === "CURVE" ? part.toString("hex") : String(part)
        ),
      };
      questions.push(question);
      await socket.send([version!, id!, ...decide(question)]);
    }
  })();
  return { socket, questions, ended };
}

const admit: Answer = ["200", "OK", "somebody", null];
const refuse: Answer = ["400", "no", "", null];

type Settings = Record<string, string | boolean | number>;

/** Connects two sockets and tells whether a message comes through; otherwise the event of the refusal. */
async function attempt(server: Settings, client: Settings): Promise<string> {
  const pull = new zmq.Pull(server);
  const push = new zmq.Push({ linger: 0, ...client });
  try {
    await pull.bind("tcp://127.0.0.1:*");
    const refused = new Promise<string>((resolve) => {
      for (const type of ["handshake:error:auth", "handshake:error:protocol"] as const) {
        pull.events.on(type, ({ error }) => {
          resolve(`${type} ${error.message} ${"status" in error ? error.status : error.code}`);
        });
      }
    });
    push.connect(pull.lastEndpoint!);
    await push.send("through");
    return await within(
      Promise.race([pull.receive().then(String, () => "closed"), refused]),
      5_000,
      "an end",
    );
  } finally {
    push.close();
    pull.close();
  }
}

async function withHandler(
  decide: (question: Question) => Answer,
  body: (questions: Question[]) => Promise<void>,
): Promise<void> {
  await using _ = await socketCheck();
  const { socket, questions, ended } = handler(decide);
  try {
    await body(questions);
  } finally {
    socket.close();
    await ended;
  }
}

test("NULL is decided by a handler if there is a domain, and PLAIN by name and password", () =>
  withHandler(({ mechanism, domain, credentials: [name, password] }) => {
    if (mechanism === "NULL") return domain === "open" ? admit : refuse;
    return name === "ann" && password === "secret" ? admit : refuse;
  }, async (questions) => {
    assert.equal(await attempt({}, {}), "through");
    assert.deepEqual(questions, []);
    assert.equal(await attempt({ zapDomain: "open" }, {}), "through");
    assert.equal(
      await attempt({ zapDomain: "closed" }, {}),
      "handshake:error:auth Authentication failure 400",
    );
    const server = { plainServer: true, zapDomain: "names" };
    assert.equal(await attempt(server, { plainUsername: "ann", plainPassword: "secret" }), "through");
    assert.equal(
      await attempt(server, { plainUsername: "ann", plainPassword: "wrong" }),
      "handshake:error:auth Authentication failure 400",
    );
    assert.deepEqual(questions.slice(0, 3), [
      { domain: "open", mechanism: "NULL", credentials: [] },
      { domain: "closed", mechanism: "NULL", credentials: [] },
      { domain: "names", mechanism: "PLAIN", credentials: ["ann", "secret"] },
    ]);
  }));

test(
  "CURVE is decided by the public key",
  { skip: zmq.capability.curve ? false : "libzmq without CURVE" },
  () => {
    const allowed = new Set<string>();
    return withHandler(
      ({ mechanism, credentials: [key] }) => mechanism === "CURVE" && allowed.has(key!) ? admit : refuse,
      async (questions) => {
        const keys = zmq.curveKeyPair();
        const server = { curveServer: true, curveSecretKey: keys.secretKey, zapDomain: "keys" };
        const pair = zmq.curveKeyPair();
        const client = {
          curveServerKey: keys.publicKey,
          curvePublicKey: pair.publicKey,
          curveSecretKey: pair.secretKey,
        };
        assert.equal(await attempt(server, client), "handshake:error:auth Authentication failure 400");
        const [question] = questions;
        assert.equal(question!.credentials[0]!.length, 64);
        allowed.add(question!.credentials[0]!);
        assert.equal(await attempt(server, client), "through");
      },
    );
  },
);

test("a socket that is told to keeps the user id of the last message, and no message can forge it", () =>
  withHandler(({ credentials: [name] }) => ["200", "OK", name!, null], async () => {
    const router = new zmq.Router({ plainServer: true, zapDomain: "names", keepsUserId: true });
    await router.bind("tcp://127.0.0.1:*");
    const dealers = ["ann", "bob"].map((plainUsername) => {
      const dealer = new zmq.Dealer({ plainUsername, plainPassword: "x", linger: 0, routingId: "eve" });
      return dealer;
    });
    assert.equal(router.userId, null);
    for (const [at, dealer] of dealers.entries()) {
      dealer.connect(router.lastEndpoint!);
      await dealer.send(["eve", "User-Id"]);
      assert.equal(String((await router.receive())[1]), "eve");
      assert.equal(router.userId, ["ann", "bob"][at]);
      dealer.close();
      router.handover = true;
    }
    router.keepsUserId = false;
    assert.throws(() => router.keepsUserId = 1 as unknown as boolean, /must be a boolean/);
    router.close();
  }));

test("each status and each malformed answer of a handler is an event of its own", () => {
  let answer: (version: string) => Answer = () => admit;
  return withHandler((question) => answer(question.domain), async () => {
    const server = { plainServer: true, zapDomain: "names" };
    const client = { plainUsername: "ann", plainPassword: "secret" };
    answer = () => ["300", "later", "", null];
    assert.equal(await attempt(server, client), "handshake:error:auth Temporary error 300");
    answer = () => ["500", "broken", "", null];
    assert.equal(await attempt(server, client), "handshake:error:auth Internal error 500");
    answer = () => ["999", "what", "", null];
    assert.equal(
      await attempt(server, client),
      "handshake:error:protocol ZAP protocol error ERR_ZAP_INVALID_STATUS_CODE",
    );
    answer = () => ["200"];
    assert.equal(
      await attempt(server, client),
      "handshake:error:protocol ZAP protocol error ERR_ZAP_MALFORMED_REPLY",
    );
  });
});

test("the security mechanism follows from the options, and a key must be a key", async () => {
  await using _ = await socketCheck();
  const socket = new zmq.Dealer();
  assert.equal(socket.securityMechanism, null);
  socket.plainServer = true;
  assert.equal(socket.securityMechanism, "plain");
  socket.close();
  if (!zmq.capability.curve) return;
  const secure = new zmq.Dealer({ curveServer: true });
  assert.equal(secure.securityMechanism, "curve");
  assert.throws(() => secure.curveSecretKey = "short", { code: "EINVAL" });
  const { publicKey, secretKey } = zmq.curveKeyPair();
  secure.curvePublicKey = publicKey;
  secure.curveSecretKey = secretKey;
  assert.deepEqual([secure.curvePublicKey, secure.curveSecretKey], [publicKey, secretKey]);
  assert.match(publicKey, /^[\x21-\x7e]{40}$/);
  secure.close();
});
