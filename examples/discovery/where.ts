import process from "node:process";
import { type Discovery, LocalDiscovery } from "zeromesh/discovery";
import { EtcdDiscovery } from "zeromesh/discovery/etcd";

/** Nothing configured: this host. With `--etcd URL`: everywhere. */
export function discovery(): Discovery {
  const at = process.argv.indexOf("--etcd");
  const mesh = "discovery-example";
  return at < 0
    ? new LocalDiscovery({ mesh })
    : new EtcdDiscovery({ endpoints: [process.argv[at + 1] ?? ""], cluster: mesh });
}
