/** That no public function, method or constructor with options is left out of the tests of options. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { optionEntries } from "../support/option_entries.ts";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";

/** A type, as `deno doc --json` has it. */
interface DocType {
  readonly kind: string;
  readonly repr?: string;
  readonly value?: unknown;
}

interface Param {
  readonly kind: string;
  readonly name?: string;
  readonly left?: Param;
  readonly tsType?: DocType;
}

interface Method {
  readonly name: string;
  readonly accessibility?: string;
  readonly params?: readonly Param[];
  readonly functionDef?: { readonly params: readonly Param[] };
}

interface Declaration {
  readonly kind: string;
  readonly def: {
    readonly params?: readonly Param[];
    readonly constructors?: readonly Method[];
    readonly methods?: readonly Method[];
    readonly properties?: readonly { readonly name: string }[];
    readonly extends?: readonly DocType[];
  };
}

/** Every public name with its declarations, from all entry points. */
function declarations(): [name: string, declaration: Declaration][] {
  const { exports } = JSON.parse(readFileSync(`${repositoryRoot}/deno.json`, "utf8")) as {
    exports: Record<string, string>;
  };
  const words = ["doc", "--json", "--quiet", ...Object.values(exports)];
  const json = execFileSync(runtimeProgram("deno"), words, {
    cwd: repositoryRoot,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const { nodes } = JSON.parse(json) as {
    nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
  };
  return Object.values(nodes).flatMap(({ symbols }) =>
    symbols.flatMap((symbol) => symbol.declarations.map((one) => [symbol.name, one] as [string, Declaration]))
  );
}

/** Whether a type is one of options: by its name, or because it is written out on the spot. */
function isOptions({ kind, value }: DocType): boolean {
  if (kind === "union" || kind === "intersection") return (value as DocType[]).some(isOptions);
  if (kind === "typeLiteral") return true;
  return kind === "typeRef" && (value as { typeName: string }).typeName.endsWith("Options");
}

/** Whether a parameter takes options, by its name or its type. */
function takesOptions({ kind, name, left, tsType }: Param): boolean {
  if (left !== undefined) return takesOptions(left);
  return name === "options" || name === "given" || kind === "object" ||
    (tsType !== undefined && isOptions(tsType));
}

/** Those that take options, by the names that the table has. */
function optionTakers(all: readonly [string, Declaration][]): Set<string> {
  const found = new Set<string>();
  const look = (name: string, params: readonly Param[] = []): void => {
    if (params.some(takesOptions)) found.add(name);
  };
  for (const [name, { kind, def }] of all) {
    if (kind === "function") look(name, def.params);
    for (const one of def.constructors ?? []) {
      if (one.accessibility === undefined) look(`new ${name}`, one.params);
    }
    for (const method of def.methods ?? []) {
      if (method.accessibility !== undefined) continue;
      const separator = kind === "interface" ? "#" : ".";
      look(`${name}${separator}${method.name}`, method.functionDef?.params ?? method.params);
    }
  }
  return found;
}

// Interfaces of which the table has what implements them.
const implemented = /^(?:Caller|MessengerHandle|CohortMessenger|PeerDiscovery|ServiceDiscovery)#/;

// zeromesh/zmq treats options as the package does whose interface it has; the tests of its settings show it.
const asThePackage =
  /^(?:new (?:Context|Pair|Pull|Push|X?(?:Publisher|Subscriber)|Dealer|Re(?:ply|quest)|Router|Stream|Datagram|Dish|Radio|Gather|Scatter|Client|Server)|(?:Router|Stream)\.connect)$/;
const optionsOfPackage = /^(?:Dish|Radio)GroupOptions$|^ServerRoutingOptions$/;

const without: ReadonlyMap<string, string> = new Map([
  ["new ZeromeshError", "refusing would take the place of the failure that it tells"],
  ["Backend#contextTermNow", "for the exit hook, which must not throw"],
  ["ChannelRegistry.closeChannel", "a question to the registry, which its owner has checked"],
  ["ChannelRegistry.schema", "a question to the registry, which its owner has checked"],
  ["ChannelRegistry.metrics", "a question to the registry, which its owner has checked"],
  ["new BrokerQuestions", "made by BrokerClient.connect, of no options"],
  ["new PeerQuestions", "made by Messenger.create, of no options"],
]);

test("everything public that takes options is in the table of the tests of options", () => {
  const known = new Set(optionEntries.map(({ name }) => name));
  const takers = optionTakers(declarations());
  assert.ok(takers.size > 80, `only ${takers.size} found: does deno doc write something else now?`);
  const left = [...takers].filter((name) =>
    !known.has(name) && !without.has(name) && !implemented.test(name) && !asThePackage.test(name)
  );
  assert.deepEqual(left, [], "add them to test/support/option_entries.ts");
  for (const name of without.keys()) assert.ok(takers.has(name), `${name} takes no options any more`);
});

test("every option of a public type is in the table of the tests of options", () => {
  const known = new Set(
    optionEntries.flatMap(({ options, nested = {} }) => [...options, ...Object.values(nested).flat()]),
  );
  const left: string[] = [];
  for (const [name, { kind, def }] of declarations()) {
    if (kind !== "interface" || !name.endsWith("Options") || name === "ZeromeshErrorOptions") continue;
    if (asThePackage.test(name.replace("ConnectOptions", ".connect")) || optionsOfPackage.test(name)) {
      continue;
    }
    for (const member of [...def.properties ?? [], ...def.methods ?? []]) {
      if (!known.has(member.name)) left.push(`${name}.${member.name}`);
    }
  }
  assert.deepEqual(left, [], "add them to test/support/option_entries.ts");
});
