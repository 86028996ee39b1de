import process from "node:process";
import { type Discovery, LocalDiscovery } from "zeromesh/discovery";
import { EtcdDiscovery } from "zeromesh/discovery/etcd";

/** Discovery on this host, or with `--etcd URL` on every host of the etcd cluster. */
export function discovery(): Discovery {
  const at = process.argv.indexOf("--etcd");
  const mesh = "discovery-example";
  return at < 0
    ? new LocalDiscovery({ mesh })
    : new EtcdDiscovery({ endpoints: [process.argv[at + 1] ?? ""], cluster: mesh });
}
