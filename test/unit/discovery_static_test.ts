import { test } from "node:test";
import { discoveryChecks } from "../../src/discovery/conformance.ts";
import { StaticDiscovery } from "../../src/discovery/mod.ts";

let shared = new StaticDiscovery();
const checks = discoveryChecks({
  create: () => shared,
  createElsewhere: () => new StaticDiscovery(),
  finds: { peers: true, services: true },
});
for (const check of checks) {
  test(`static: ${check.name}`, async () => {
    shared = new StaticDiscovery();
    await check.run();
  });
}
