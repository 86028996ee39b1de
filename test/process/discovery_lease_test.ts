/** Tests of leases in etcd that end at a bad moment, with a server that fails on request. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { newInstanceId } from "../../src/core/mod.ts";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";

/** The part of etcd's gateway that leases need. */
class LeaseServer {
  /** Under which lease each key stands. */
  readonly keys = new Map<string, string>();
  /** Leases that live. */
  readonly leases = new Set<string>();
  /** The number of writes to refuse, and the number before them. */
  refuse = { after: Infinity, count: 0 };
  /** The number of answers to begin and not to finish. */
  halves = 0;
  url = "";
  #granted = 0;

  static async open(t: LeakCheck): Promise<LeaseServer> {
    const made = new LeaseServer();
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (part) => text += String(part));
      request.on("end", () => {
        const { status, answer } = made.#answer(
          request.url ?? "",
          JSON.parse(text) as Record<string, string>,
        );
        response.statusCode = status;
        if (made.halves > 0) {
          made.halves--;
          response.write('{"result":');
        } else response.end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    made.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    t.defer(() =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      })
    );
    return made;
  }

  /** Ends every lease, as if the process had stood still. */
  expire(): void {
    this.leases.clear();
    this.keys.clear();
  }

  /** Whether so many keys stand, all under a lease that lives. */
  holds(count: number): boolean {
    return this.keys.size === count && [...this.keys.values()].every((lease) => this.leases.has(lease));
  }

  #answer(path: string, body: Record<string, string>): { status: number; answer: unknown } {
    const gone = { status: 404, answer: { message: "etcdserver: requested lease not found", code: 5 } };
    if (path === "/v3/lease/grant") {
      const ID = String(++this.#granted);
      this.leases.add(ID);
      return { status: 200, answer: { ID } };
    }
    if (path === "/v3/lease/keepalive") {
      return { status: 200, answer: { result: this.leases.has(body["ID"]!) ? { TTL: "1" } : {} } };
    }
    if (path === "/v3/lease/revoke") {
      if (!this.leases.delete(body["ID"]!)) return gone;
      for (const [key, lease] of this.keys) if (lease === body["ID"]) this.keys.delete(key);
      return { status: 200, answer: {} };
    }
    if (path === "/v3/kv/put") {
      if (--this.refuse.after < 0 && this.refuse.count-- > 0) {
        return { status: 503, answer: { message: "not ready" } };
      }
      if (!this.leases.has(body["lease"]!)) return gone;
      this.keys.set(body["key"]!, body["lease"]!);
    }
    if (path === "/v3/kv/deleterange") this.keys.delete(body["key"]!);
    return { status: 200, answer: {} };
  }
}

async function registered(t: LeakCheck, services: number) {
  const server = await LeaseServer.open(t);
  const discovery = new EtcdDiscovery({ endpoints: [server.url], ttlMs: 300, timeoutMs: 500 });
  const registrations = [];
  for (let count = 0; count < services; count++) {
    registrations.push(await discovery.registerService(`service-${count}`, newInstanceId()));
  }
  return { server, discovery, registrations };
}

test("etcd: a lost lease whose keys cannot all be written anew is written once more", async () => {
  await using t = await leakCheck();
  const { server, registrations } = await registered(t, 5);
  server.refuse = { after: 2, count: 1 };
  server.expire();
  await until(() => server.refuse.count <= 0, { message: "the write that fails" });
  await until(() => server.holds(5), { message: () => `all keys; there are ${server.keys.size}` });
  for (const registration of registrations) await registration.unregister();
  assert.deepEqual([server.keys.size, server.leases.size], [0, 0]);
});

test("etcd: keys that are written while the lease is found lost all stand under one new lease", async () => {
  await using t = await leakCheck();
  const { server, discovery, registrations } = await registered(t, 3);
  for (let round = 0; round < 10; round++) {
    server.expire();
    const more = Array.from({ length: 5 }, (_, i) => discovery.registerService(`more-${i}`, newInstanceId()));
    const made = await Promise.all(more);
    await until(() => server.holds(8), { message: () => `all keys; there are ${server.keys.size}` });
    assert.equal(server.leases.size, 1);
    await Promise.all(made.map((one) => one.unregister()));
  }
  // Its last keys are gone already when they are taken back.
  server.expire();
  await Promise.all(registrations.map((one) => one.unregister()));
  assert.equal(server.keys.size, 0);
});

test("etcd: an answer that stops in its midst is given up, and the lease renewed all the same", async () => {
  await using t = await leakCheck();
  const { server, registrations } = await registered(t, 2);
  server.halves = 1;
  await until(() => server.halves === 0, { message: "a renewal" });
  server.expire();
  await until(() => server.holds(2), { message: "the keys to come back" });
  for (const registration of registrations) await registration.unregister();
});
