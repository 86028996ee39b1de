import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "../support/testing.ts";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { discoveryChecks, type DiscoveryChecksOptions } from "../../src/discovery/conformance.ts";
import { FileDiscovery, LocalDiscovery } from "../../src/discovery/mod.ts";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { missing, startEtcd, startNats } from "../support/servers.ts";

interface BackEnd extends Omit<DiscoveryChecksOptions, "create" | "createElsewhere"> {
  readonly name: string;
  readonly skip: string | false;
  start(): Promise<AsyncDisposable & Pick<DiscoveryChecksOptions, "create" | "createElsewhere">>;
}

function inFolder(make: (folder: string, name: string) => LocalDiscovery | FileDiscovery): BackEnd["start"] {
  return () => {
    const folder = mkdtempSync(`${tmpdir()}/discovery-`);
    return Promise.resolve({
      create: () => make(folder, "here"),
      createElsewhere: () => make(folder, "there"),
      [Symbol.asyncDispose]: () => Promise.resolve(rmSync(folder, { recursive: true })),
    });
  };
}

const backEnds: readonly BackEnd[] = [
  {
    name: "local",
    skip: false,
    finds: { peers: true, services: true },
    start: inFolder((directory, mesh) => new LocalDiscovery({ directory, mesh })),
  },
  {
    name: "file",
    skip: false,
    finds: { peers: true, services: true },
    start: inFolder((folder, name) => new FileDiscovery({ path: `${folder}/${name}.json` })),
  },
  {
    name: "etcd",
    skip: missing("etcd"),
    finds: { peers: true, services: true },
    start: async () => {
      const server = await startEtcd();
      const make = (cluster: string) => () => new EtcdDiscovery({ endpoints: [server.url], cluster });
      return {
        create: make("here"),
        createElsewhere: make("there"),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
  {
    name: "nats",
    skip: missing("nats-server"),
    finds: { peers: true, services: true },
    start: async () => {
      const server = await startNats();
      const make = (cluster: string) => () => new NatsDiscovery({ servers: [server.url], cluster });
      return {
        create: make("here"),
        createElsewhere: make("there"),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
];

for (const { name, skip, finds, start } of backEnds) {
  // One server for all the checks; what a check may not leave behind is counted round each of them.
  let started: ReturnType<BackEnd["start"]> | undefined;
  const create = async () => await (await started!).create();
  const createElsewhere = async () => await (await started!).createElsewhere!();
  const checks = discoveryChecks({ create, createElsewhere, finds });
  for (const [index, check] of checks.entries()) {
    test(`${name}: ${check.name}`, { skip }, async () => {
      started ??= start();
      await started;
      try {
        await using _t = await leakCheck();
        await check.run();
      } finally {
        if (index === checks.length - 1) await (await started)[Symbol.asyncDispose]();
      }
    });
  }
}
