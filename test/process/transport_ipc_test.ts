/** Endpoints on this host: files that are sockets, names without a file, and who comes which way. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import process from "node:process";
import { test } from "../support/testing.ts";
import {
  curveKeyPair,
  Messenger,
  type MessengerOptions,
  type PeerInfoJson,
  type Status,
  unaryHandler,
} from "../../src/mod.ts";
import { peerInfoOf, peerInfoToJson } from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort } from "../support/ports.ts";
import { spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

const program = "test/support/peers/transport_peer.ts";
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (of: Uint8Array) => new TextDecoder().decode(of);
const onLinux = process.platform === "linux";
const notLinux = onLinux ? false : "local names are Linux's";

/** A folder of the test's own. */
function folder(t: LeakCheck): string {
  const path = mkdtempSync(`${tmpdir()}/zm-`);
  t.defer(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function served(t: LeakCheck, options: MessengerOptions): Promise<Messenger> {
  const server = await t.messenger(options);
  server.registerHandler(unaryHandler("who", () => bytes(server.instanceId)));
  return server;
}

/** Where the messenger dialled, as it tells itself. */
async function dialledEndpoint(
  client: Messenger,
  info: PeerInfoJson,
  timeoutMs = 5_000,
): Promise<string | null> {
  const statuses = client.status();
  const peer = client.registerPeer(info);
  assert.equal(text(await client.unary("who", { to: peer, timeoutMs })), peer);
  for await (const status of statuses as AsyncIterable<Status>) {
    if (status.type === "peerUp" && status.peer === peer) return status.endpoint;
  }
  return null;
}

/** Makes the peer info of an instance with these endpoints and its key. */
function told(server: Messenger, endpoints: readonly string[], publicKey?: string): PeerInfoJson {
  return peerInfoToJson(peerInfoOf(server.instanceId, endpoints, publicKey));
}

async function refusal(options: MessengerOptions) {
  let error: unknown;
  await assert.rejects(Messenger.create(options), (thrown) => {
    error = thrown;
    return true;
  });
  return error as Error & { code: string; details: unknown };
}

test("an instance listens at a path, and takes the file away when it closes", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const server = await served(t, { endpoint: `ipc://${path}` });
  assert.deepEqual(server.endpoints, [`ipc://${path}`]);
  assert.ok(statSync(path).isSocket());
  const client = await t.messenger({ listen: false });
  const peer = await client.connect(`ipc://${path}`);
  assert.equal(text(await client.unary("who", { to: peer })), server.instanceId);
  client.registerHandler(unaryHandler("back", () => bytes("here")));
  assert.equal(text(await server.unary("back", { to: client.instanceId })), "here");
  await server.close();
  assert.equal(existsSync(path), false);
});

test("the path of a living process is not stolen, and that process goes on", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const child = t.use(spawnScript(program, ["serve", JSON.stringify({ endpoint: `ipc://${path}` })]));
  await child.waitForLine("ready");
  const before = statSync(path).ino;
  const error = await refusal({ endpoint: `ipc://${path}` });
  assert.equal(error.code, "ADDRESS_IN_USE");
  assert.ok(error.message.includes(path), error.message);
  assert.deepEqual(error.details, { endpoint: `ipc://${path}` });
  assert.equal(statSync(path).ino, before);
  const client = await t.messenger();
  const peer = await client.connect(`ipc://${path}`);
  assert.equal(text(await client.unary("who", { to: peer })), peer);
});

test("the file that a killed process left is taken over", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const child = t.use(spawnScript(program, ["serve", JSON.stringify({ endpoint: `ipc://${path}` })]));
  await child.waitForLine("ready");
  process.kill(child.pid, "SIGKILL");
  await within(child.exit, 5_000, "the end of the process");
  assert.ok(existsSync(path), "libzmq has removed it: this test shows nothing");
  const server = await served(t, { endpoint: `ipc://${path}` });
  const client = await t.messenger();
  const peer = await client.connect(`ipc://${path}`);
  assert.equal(peer, server.instanceId);
});

test("a process that ends without closing takes its file away", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const child = t.use(spawnScript(program, ["leave", `ipc://${path}`, "exit"], {
    permissions: ["--allow-ffi", "--allow-read", "--allow-env", "--allow-write"],
  }));
  await child.waitForLine("ready");
  assert.equal((await within(child.exit, 10_000)).code, 0);
  assert.equal(existsSync(path), false);
});

test("a successor's file is not taken away by its predecessor", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const first = await served(t, { endpoint: `ipc://${path}` });
  rmSync(path);
  const second = await served(t, { endpoint: `ipc://${path}` });
  await first.close();
  assert.ok(existsSync(path));
  const client = await t.messenger();
  assert.equal(await client.connect(`ipc://${path}`), second.instanceId);
});

test("a file or folder that is no socket is refused and left as it is", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/notes.txt`;
  writeFileSync(path, "precious");
  for (const taken of [path, path.replace("/notes.txt", "")]) {
    const error = await refusal({ endpoint: `ipc://${taken}` });
    assert.equal(error.code, "ENDPOINT_INVALID");
    assert.match(error.message, /not a socket/);
    assert.ok(error.message.includes(taken));
  }
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("a path that is too long, or in no folder, is refused with the reason", async () => {
  await using t = await leakCheck();
  const base = folder(t);
  const long = await refusal({ endpoint: `ipc://${base}/${"x".repeat(120)}` });
  assert.equal(long.code, "ENDPOINT_INVALID");
  assert.match(long.message, /path has \d+ bytes, and the system allows 107/);
  const longest = `${base}/${"x".repeat(107 - base.length - 1)}`;
  const server = await t.messenger({ endpoint: `ipc://${longest}` });
  assert.equal(server.endpoint, `ipc://${longest}`);
  const nowhere = await refusal({ endpoint: `ipc://${base}/none/a.sock` });
  assert.equal(nowhere.code, "ENDPOINT_INVALID");
  assert.match(nowhere.message, /folder/);
});

test("an instance that cannot have one of its endpoints gives up the others", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const taken = await t.messenger();
  const error = await refusal({ endpoint: [`ipc://${path}`, taken.endpoint] });
  assert.equal(error.code, "ADDRESS_IN_USE");
  assert.equal(existsSync(path), false);
  const server = await served(t, { endpoint: `ipc://${path}` });
  const client = await t.messenger();
  assert.equal(await client.connect(`ipc://${path}`), server.instanceId);
});

test("an instance listens at several endpoints, and peers know all of them", async () => {
  await using t = await leakCheck();
  const path = `${folder(t)}/a.sock`;
  const [one, two] = [await freePort(), await freePort()];
  const endpoint = [`tcp://127.0.0.1:${one}`, `ipc://${path}`, `tcp://127.0.0.1:${two}`];
  const server = await served(t, { endpoint, ipc: false });
  assert.deepEqual(server.endpoints, endpoint);
  for (const each of endpoint) {
    const client = await t.messenger();
    assert.equal(await client.connect(each), server.instanceId);
    await until(() => server.peers().some(({ instanceId }) => instanceId === client.instanceId));
  }
  const known = await t.messenger();
  known.registerPeer(server.peerInfo());
  assert.deepEqual(known.peers()[0]!.endpoints, endpoint);
});

test("a peer of this host known by its peer info is reached without TCP", { skip: notLinux }, async () => {
  await using t = await leakCheck();
  // No process listens at the advertised address.
  const advertise = `tcp://127.0.0.1:${await freePort()}`;
  const options: MessengerOptions = { advertise };
  const child = t.use(spawnScript(program, ["serve", JSON.stringify(options)]));
  const { info } = JSON.parse((await child.waitForLine("ready")).slice(6)) as { info: PeerInfoJson };
  const client = await t.messenger();
  const endpoint = await dialledEndpoint(client, info);
  assert.match(endpoint!, /^ipc:\/\/@/);
  assert.equal(client.peers()[0]!.endpoints[0], advertise);
});

test(
  "a peer that is not on this host, as its silent local name shows, is reached by TCP",
  { skip: notLinux },
  async () => {
    await using t = await leakCheck();
    const server = await served(t, { ipc: false });
    const other = await t.messenger();
    await other.close();
    // The address of the server, and a local name that is nobody's.
    const client = await t.messenger();
    const endpoints = [...server.endpoints, `ipc://@zeromesh-${other.instanceId}`];
    assert.equal(await dialledEndpoint(client, told(server, endpoints)), server.endpoint);
  },
);

test("ipc: false binds no local name, and peers come by TCP", async () => {
  await using t = await leakCheck();
  const server = await served(t, { ipc: false });
  assert.deepEqual(server.endpoints.filter((endpoint) => endpoint.startsWith("ipc:")), []);
  const client = await t.messenger();
  assert.equal(await dialledEndpoint(client, server.peerInfo()), server.endpoint);
});

test(
  "a local name that a stranger holds is no way to the peer, and no end of trying",
  { skip: notLinux },
  async () => {
    for (const secure of [false, true]) {
      await using t = await leakCheck();
      const keys = secure ? await curveKeyPair().catch(() => null) : null;
      if (secure && keys === null) continue;
      const curve = keys === null ? {} : { curve: { ...keys, allow: "any" as const } };
      const server = await served(t, { ipc: false, ...curve });
      const path = `${folder(t)}/stranger.sock`;
      // In a process of its own: the permissions of this one do not cover sockets in files.
      const stranger = t.use(spawnScript("test/support/peers/unix_stranger.ts", [path], {
        permissions: ["--allow-all"],
      }));
      await stranger.waitForLine("ready");
      const client = await t.messenger(curve);
      const info = told(server, [...server.endpoints, `ipc://${path}`], keys?.publicKey);
      assert.equal(await dialledEndpoint(client, info), server.endpoint, `secure: ${secure}`);
      await stranger.waitForLine("came");
    }
  },
);

test("advertise is what peers are told, as a host or as a whole endpoint", async () => {
  await using t = await leakCheck();
  const byHost = await t.messenger({ endpoint: "tcp://127.0.0.1:0", advertise: "localhost", ipc: false });
  assert.match(byHost.endpoint, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  const whole = await t.messenger({ advertise: "tcp://gate.example:9000", ipc: false });
  assert.deepEqual(whole.endpoints, ["tcp://gate.example:9000"]);
  const client = await t.messenger();
  client.registerPeer(whole.peerInfo());
  assert.deepEqual(client.peers()[0]!.endpoints, ["tcp://gate.example:9000"]);
  const error = await refusal({ advertise: "0.0.0.0" });
  assert.equal(error.code, "ENDPOINT_INVALID");
});

const interfaces = (() => {
  try {
    return networkInterfaces();
  } catch {
    return null;
  }
})();

test(
  `a wildcard tells peers an address that they can dial`,
  { skip: interfaces === null ? "the runtime may not list interfaces here" : false },
  async () => {
    await using t = await leakCheck();
    const server = await served(t, { endpoint: "tcp://*:0", ipc: false });
    const client = await t.messenger();
    assert.ok(server.endpoints.length > 0);
    for (const endpoint of server.endpoints) {
      assert.doesNotMatch(endpoint, /0\.0\.0\.0|\*|\[::\]/);
      assert.equal(await client.connect(endpoint), server.instanceId);
    }
  },
);

test(
  `a wildcard where interfaces may not be listed says what to do`,
  { skip: interfaces === null ? false : "the runtime lists them here" },
  async () => {
    await using t = await leakCheck();
    const error = await refusal({ endpoint: "tcp://*:0" });
    assert.equal(error.code, "ENDPOINT_INVALID");
    assert.match(error.message, /advertise/);
    const server = await t.messenger({ endpoint: "tcp://*:0", advertise: "127.0.0.1" });
    const client = await t.messenger();
    assert.equal(await client.connect(server.endpoint), server.instanceId);
  },
);
