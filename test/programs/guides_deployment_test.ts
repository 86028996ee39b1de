/** The guide of deployment: its Dockerfile and its unit work. The guide of permissions: Deno needs just what it says. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { after } from "node:test";
import { test } from "../support/testing.ts";
import { freePort } from "../support/ports.ts";
import { productPermissions, repositoryRoot, type RuntimeName, runtimeProgram } from "../support/runtime.ts";
import { missing, startEtcd, startNats } from "../support/servers.ts";
import { spawnCommand } from "../support/spawn.ts";
import { within } from "../support/until.ts";
import { blocksIn, textOf, useOf } from "./documents.ts";
import { mustRun, OwnProject } from "./readme_project.ts";

const document = "docs/guides/deployment.md";
const text = textOf(document);
const blocks = blocksIn(text);
const block = (language: string): string => {
  const found = blocks.find((one) => one.language === language);
  assert.ok(found !== undefined, `${document} has no ${language}`);
  return found.text;
};

let ownProject: Promise<OwnProject> | undefined;
function project(): Promise<OwnProject> {
  return ownProject ??= OwnProject.create().then((own) => {
    for (const one of blocks.filter(({ language }) => language === "ts")) {
      const use = useOf(document, one);
      if (use.kind === "file") own.write(use.name, one.text);
    }
    return own;
  });
}
after(async () => {
  const made = await ownProject?.catch(() => undefined);
  if (made !== undefined) rmSync(made.folder, { recursive: true, force: true });
});

/** A command as this machine runs it: its own runtimes, and another port than the document's. */
function here(command: readonly string[], port: number): string[] {
  const [name = "", ...args] = command;
  assert.ok(name === "bun" || name === "deno", `${name} is no runtime`);
  return [runtimeProgram(name as RuntimeName), ...args.map((word) => word.replaceAll(":5555", `:${port}`))];
}

/** A Dockerfile's instructions; one that is continued on the next line is one. */
function instructions(): { readonly name: string; readonly rest: string }[] {
  return block("dockerfile").replaceAll("\\\n", " ").split("\n").filter((line) => line.trim() !== "")
    .map((line) => {
      const match = /^([A-Z]+) (.+)$/.exec(line);
      assert.ok(match !== null, line);
      return { name: match[1]!, rest: match[2]! };
    });
}

test(`${document}: the Dockerfile's service runs with just its permissions, and its health check finds it`, async () => {
  const lines = instructions();
  const known = ["FROM", "WORKDIR", "COPY", "RUN", "ENV", "EXPOSE", "USER", "HEALTHCHECK", "CMD"];
  assert.deepEqual(lines.filter(({ name }) => !known.includes(name)), []);
  const { version, devDependencies } = JSON.parse(
    readFileSync(`${repositoryRoot}/package.json`, "utf8"),
  ) as { version: string; devDependencies: Record<RuntimeName, string> };
  const images = lines.filter(({ name }) => name === "FROM").map(({ rest }) => rest.split(" ")[0]);
  const tag = (runtime: RuntimeName) => devDependencies[runtime].slice(1);
  assert.deepEqual(images, [`oven/bun:${tag("bun")}`, `denoland/deno:${tag("deno")}`]);
  assert.ok(lines.some(({ rest }) => rest === `package.json zeromesh-${version}.tgz ./`));

  const { folder } = await project();
  const port = await freePort();
  const command = (name: string): string[] => {
    const rest = lines.find((line) => line.name === name)?.rest ?? "";
    return here(JSON.parse(rest.slice(rest.indexOf("["))) as string[], port);
  };
  const env: Record<string, string> = { ADVERTISE: "localhost" };
  for (const { name, rest } of lines) {
    const [, key = "", value = ""] = /^(\w+)=(.*)$/.exec(rest) ?? [];
    if (name === "ENV" && key !== "ADVERTISE") env[key] = value.replace(":5555", `:${port}`);
  }
  await using service = spawnCommand(command("CMD"), { cwd: folder, env });
  await service.waitForLine("listening on");
  await mustRun(command("HEALTHCHECK"), folder);
  service.signal("SIGTERM");
  const exit = await within(service.exit, 10_000, "the service to end");
  assert.deepEqual(exit, { code: 0, signal: null }, service.errorText);
  await using sick = spawnCommand([...command("HEALTHCHECK"), "--timeout", "300"], { cwd: folder });
  assert.equal((await within(sick.exit, 10_000, "the health check to end")).code, 1);
});

test(
  `${document}: systemd has nothing to say against the unit`,
  { skip: missing("systemd-analyze") },
  async () => {
    const unit = block("ini");
    assert.equal(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1], "65536");
    const start = /^ExecStart=\S+ (.+)$/m.exec(unit)?.[0] ?? "";
    assert.match(start, /^ExecStart=\/usr\/local\/bin\/bun \/opt\/sum\/main\.ts$/);
    const { folder } = await project();
    const changed = unit.replace(/^ExecStart=\S+/m, `ExecStart=${runtimeProgram("bun")}`)
      .replace("/opt/sum/", `${folder}/`);
    const path = (await project()).write("zeromesh-sum.service", changed);
    await using verify = spawnCommand(["systemd-analyze", "verify", path], { cwd: folder });
    const { code } = await within(verify.exit, 20_000, "systemd-analyze to end");
    // An unknown key is only a warning.
    const complaints = verify.errorText.split("\n").filter((line) => line.includes("zeromesh-sum"));
    assert.deepEqual({ code, complaints }, { code: 0, complaints: [] });
    const [, port = ""] = /tcp:\/\/127\.0\.0\.1:(\d+)/.exec(unit) ?? [];
    assert.equal(port, "5555");
  },
);

const peer = `import process from "node:process";
import { Messenger } from "zeromesh";
import { FileDiscovery, LocalDiscovery, StaticDiscovery } from "zeromesh/discovery";
import { EtcdDiscovery } from "zeromesh/discovery/etcd";
import { NatsDiscovery } from "zeromesh/discovery/nats";
const [kind = "", where = ""] = process.argv.slice(2);
const backEnds = {
  StaticDiscovery: () => new StaticDiscovery({ peers: [] }),
  LocalDiscovery: () => new LocalDiscovery({ mesh: where }),
  FileDiscovery: () => new FileDiscovery({ path: where }),
  EtcdDiscovery: () => new EtcdDiscovery({ endpoints: [where] }),
  NatsDiscovery: () => new NatsDiscovery({ servers: [where] }),
};
const discovery = kind in backEnds ? { discovery: backEnds[kind as keyof typeof backEnds]() } : {};
const services = /Local|File|Etcd/.test(kind) ? ["sum"] : [];
const endpoint = kind in backEnds ? "tcp://127.0.0.1:0" : "tcp://0.0.0.0:0";
const open = () => Messenger.create({ ...discovery, services, endpoint });
await using one = await open();
await using two = await open();
if (kind in backEnds && kind !== "StaticDiscovery") await two.availableHandlers(one.instanceId);
console.log("found");
`;

const permissionsDocument = "docs/guides/permissions.md";
const permissionsText = textOf(permissionsDocument);
const rows = [...permissionsText.matchAll(/^\| (`[^|]*?) +\| +(?:`(--.*?)`)? *\|$/gm)].map((
  [, what = "", flags = ""],
) => ({
  kind: /\w+Discovery/.exec(what)?.[0] ?? "wildcard",
  flags: flags.split(" ").filter((flag) => flag !== ""),
}));

test(`${permissionsDocument}: its table has every back end`, () => {
  const kinds = ["StaticDiscovery", "LocalDiscovery", "FileDiscovery", "EtcdDiscovery", "NatsDiscovery"];
  assert.deepEqual(rows.map(({ kind }) => kind), [...kinds, "wildcard"]);
  assert.ok(permissionsText.includes(`needs \`${productPermissions.join(" ")}\``));
});

for (const { kind, flags } of rows) {
  const program = { EtcdDiscovery: "etcd", NatsDiscovery: "nats-server" }[kind];
  const skip = program === undefined ? false : missing(program);
  test(`${permissionsDocument}: Deno needs for ${kind} just what it says`, { skip }, async () => {
    const script = (await project()).write("peer.ts", peer);
    const folder = mkdtempSync(`${tmpdir()}/permissions-`);
    const mesh = `guide-${process.pid}`;
    const uid = (await mustRun(["id", "-u"], folder)).trim();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    // By a program: on Deno this file may write only into the run's own folder.
    stack.defer(async () =>
      void await mustRun(["rm", "-rf", `/tmp/zeromesh-${uid}/${mesh}`], repositoryRoot)
    );
    let where = { LocalDiscovery: mesh, FileDiscovery: `${folder}/peers.json` }[kind] ?? "";
    if (program === "etcd") where = stack.use(await startEtcd()).url;
    if (program === "nats-server") where = stack.use(await startNats()).url;
    const filled = flags.map((flag) =>
      flag.replace("UID", uid).replace("FOLDER", folder).replace("HOST:PORT", where.replace(/^\w+:\/\//, ""))
    );
    const run = async (given: readonly string[]): Promise<number | null> => {
      const deno = [runtimeProgram("deno"), "run", "--quiet", "--no-prompt", ...productPermissions];
      await using child = spawnCommand([...deno, ...given, script, kind, where]);
      const { code } = await within(child.exit, 30_000, `${kind} to end`);
      if (given === filled) assert.equal(code, 0, child.errorText);
      return code;
    };
    await run(filled);
    for (const left of filled) assert.notEqual(await run(filled.filter((flag) => flag !== left)), 0, left);
  });
}
