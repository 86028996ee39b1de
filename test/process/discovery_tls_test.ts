/** etcd and NATS with TLS, client certificates, users and passwords: certificates are made by openssl on the fly. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { newInstanceId, systemClock } from "../../src/core/mod.ts";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { EtcdGateway } from "../../src/discovery/etcd_gateway.ts";
import { NatsDiscovery, type NatsDiscoveryOptions } from "../../src/discovery/nats.ts";
import { service, unaryHandler } from "../../src/mod.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { temporaryFolder, whoAnswers } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { missing, startEtcd, startNats, type TestServer } from "../support/servers.ts";
import { until } from "../support/until.ts";

const skipEtcd = missing("openssl") || missing("etcd");
const skipNats = missing("openssl") || missing("nats-server");
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

async function secureEtcd(t: LeakCheck): Promise<{ server: TestServer; made: Certificates }> {
  const made = makeCertificates(temporaryFolder(t, "certificates"));
  const args = [
    `--cert-file=${made.server.certFile}`,
    `--key-file=${made.server.keyFile}`,
    `--trusted-ca-file=${made.ca.certFile}`,
    "--client-cert-auth",
  ];
  return { server: t.use(await startEtcd({ args, scheme: "https" })), made };
}

async function secureNats(t: LeakCheck): Promise<{ server: TestServer; made: Certificates }> {
  const made = makeCertificates(temporaryFolder(t, "certificates"));
  const args = [
    ...["--tls", "--tlscert", made.server.certFile, "--tlskey", made.server.keyFile],
    ...["--tlsverify", "--tlscacert", made.ca.certFile, "--user", "mesh", "--pass", "secret"],
  ];
  return { server: t.use(await startNats({ args })), made };
}

test("etcd over TLS with client certificates: instances find and call each other, and a watch goes on", {
  skip: skipEtcd,
}, async () => {
  await using t = await leakCheck();
  const { server, made } = await secureEtcd(t);
  const tls = { ca: made.ca.cert, cert: made.client.cert, key: made.client.key };
  const make = () => new EtcdDiscovery({ endpoints: [server.url], tls, timeoutMs: 2_000 });
  const callee = await t.messenger({ discovery: make(), services: ["whoami"] });
  callee.registerHandler(unaryHandler("whoami", () => encode(callee.instanceId)));
  const caller = await t.messenger({ discovery: make() });
  assert.equal(await whoAnswers(caller, callee.instanceId), callee.instanceId);
  assert.equal(await whoAnswers(caller, service("whoami")), callee.instanceId);
  // A watch is open all the time, and is opened again after a restart.
  const stop = new AbortController();
  t.defer(() => stop.abort());
  const seen = new Set<string>();
  void (async () => {
    for await (const event of make().watch("whoami", { signal: stop.signal })) {
      if (event.type === "initial") event.instances.forEach((id) => seen.add(id));
      else if (event.type === "added") seen.add(event.instance);
    }
  })();
  await until(() => seen.has(callee.instanceId));
  await server.kill();
  await server.start();
  const late = newInstanceId();
  await using _registration = await make().registerService("whoami", late);
  await until(() => seen.has(late), { timeoutMs: 10_000, message: "the watch to go on after the restart" });
});

test(
  "etcd over TLS: a client without authorities, without a certificate, or with another name gets the reason",
  {
    skip: skipEtcd,
  },
  async () => {
    await using t = await leakCheck();
    const { server, made } = await secureEtcd(t);
    const own = { cert: made.client.cert, key: made.client.key };
    const ask = (tls: object) =>
      new EtcdDiscovery({ endpoints: [server.url], tls, timeoutMs: 2_000 }).getInstances("resize");
    assert.deepEqual(await ask({ ...own, ca: made.ca.cert }), []);
    assert.deepEqual(await ask({ ...own, ca: made.ca.cert, serverName: "localhost" }), []);
    for (
      const tls of [own, { ca: made.ca.cert }, { ...own, ca: made.ca.cert, serverName: "elsewhere.example" }]
    ) {
      await assert.rejects(ask(tls), { code: "PEER_UNREACHABLE" }, JSON.stringify(Object.keys(tls)));
    }
  },
);

test(
  "etcd over TLS with users: a token is fetched, renewed after a restart, and wrong passwords are refused",
  {
    skip: skipEtcd,
  },
  async () => {
    await using t = await leakCheck();
    const { server, made } = await secureEtcd(t);
    const { ca, client, nameless } = made;
    const tls = { ca: ca.cert, cert: nameless.cert, key: nameless.key };
    const endpoints = [server.url];
    const admin = new EtcdGateway({ endpoints, tls, auth: null, timeoutMs: 2_000, clock: systemClock });
    await admin.call("/v3/auth/user/add", { name: "root", password: "secret" });
    await admin.call("/v3/auth/user/grant", { user: "root", role: "root" });
    await admin.call("/v3/auth/enable", {});
    const make = (password: string) =>
      new EtcdDiscovery({ endpoints, tls, timeoutMs: 2_000, auth: { username: "root", password } });
    const discovery = make("secret");
    const id = newInstanceId();
    const registration = await discovery.registerService("resize", id);
    assert.deepEqual(await discovery.getInstances("resize"), [id]);
    await server.kill();
    await server.start();
    // The token is not known any more.
    assert.deepEqual(await discovery.getInstances("resize"), [id]);
    await registration.unregister();
    await assert.rejects(make("guess").getInstances("resize"), { code: "FORBIDDEN" });
    const caller = await t.messenger({ discovery: make("guess"), listen: false, connectTimeoutMs: 1_000 });
    await assert.rejects(caller.unary("resize", { to: service("resize") }), {
      code: "PEER_UNREACHABLE",
      message: /discovery cannot be asked: .*authentication failed/,
    });
    await assert.rejects(new EtcdDiscovery({ endpoints, tls }).getInstances("resize"), { code: "FORBIDDEN" });
    const named = new EtcdDiscovery({
      endpoints,
      tls: { ca: ca.cert, cert: client.cert, key: client.key },
      auth: { username: "root", password: "secret" },
    });
    await assert.rejects(named.getInstances("resize"), { code: "FORBIDDEN", message: /common name/ });
  },
);

test("NATS over TLS with client certificates and a user: instances find each other, also after a restart", {
  skip: skipNats,
}, async () => {
  await using t = await leakCheck();
  const { server, made } = await secureNats(t);
  const make = () =>
    new NatsDiscovery({
      servers: [server.url],
      timeoutMs: 2_000,
      auth: { username: "mesh", password: "secret" },
      tls: { ca: made.ca.cert, cert: made.client.cert, key: made.client.key },
    });
  const callee = await t.messenger({ discovery: make() });
  callee.registerHandler(unaryHandler("whoami", () => encode(callee.instanceId)));
  const caller = await t.messenger({ discovery: make() });
  assert.equal(await whoAnswers(caller, callee.instanceId), callee.instanceId);
  await server.kill();
  await server.start();
  const reader = make();
  await using _use = reader.use();
  await until(async () => await reader.discoverByInstanceId(callee.instanceId) !== null, {
    timeoutMs: 15_000,
    message: "the subscriptions to come back",
  });
});

function askNats(server: TestServer, tls: NatsDiscoveryOptions["tls"], password: string) {
  const auth = { username: "mesh", password };
  return new NatsDiscovery({ servers: [server.url], timeoutMs: 1_000, auth, tls })
    .discoverByInstanceId(newInstanceId());
}

test("NATS over TLS: a client without authorities gets the reason, and a wrong password is refused", {
  skip: skipNats,
}, async () => {
  await using t = await leakCheck();
  const { server, made } = await secureNats(t);
  const own = { cert: made.client.cert, key: made.client.key };
  assert.equal(await askNats(server, { ...own, ca: made.ca.cert }, "secret"), null);
  await assert.rejects(askNats(server, own, "secret"), { code: "PEER_UNREACHABLE" });
  await assert.rejects(askNats(server, { ...own, ca: made.ca.cert }, "guess"), { code: "FORBIDDEN" });
});

test("NATS over TLS: a client without a required certificate gets the reason", {
  skip: skipNats,
}, async () => {
  await using t = await leakCheck();
  const { server, made } = await secureNats(t);
  await assert.rejects(askNats(server, { ca: made.ca.cert }, "secret"), {
    code: "PEER_UNREACHABLE",
    message: /client's certificate/,
  });
});

test("NATS with a token: the right one is taken, and a wrong one or none is refused", {
  skip: missing("nats-server"),
}, async () => {
  await using t = await leakCheck();
  const server = t.use(await startNats({ args: ["--auth", "s3cret"] }));
  const ask = (token: string | null) =>
    new NatsDiscovery({
      servers: [server.url],
      timeoutMs: 1_000,
      ...(token === null ? {} : { auth: { token } }),
    }).discoverByInstanceId(newInstanceId());
  assert.equal(await ask("s3cret"), null);
  for (const wrong of ["guess", null]) await assert.rejects(ask(wrong), { code: "FORBIDDEN" });
  const refused = new NatsDiscovery({ servers: [server.url], timeoutMs: 1_000, auth: { token: "guess" } });
  const caller = await t.messenger({ discovery: refused, listen: false, connectTimeoutMs: 1_000 });
  await assert.rejects(caller.unary("resize", { to: service("resize") }), {
    code: "PEER_UNREACHABLE",
    message: /discovery cannot be asked: NATS at .* refuses this user/,
  });
});
