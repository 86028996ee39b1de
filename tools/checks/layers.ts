/**
 * The layers: the allowed imports of each folder, which go through the other folder's `mod.ts`. `ARCHITECTURE.md` gives
 * the reasons.
 */
import { posix } from "node:path";
import { lineAt, type SourceFile } from "./tree.ts";

/** The allowed imports of a folder. */
interface Layer {
  /** The folders whose `mod.ts` it may import. */
  readonly from: readonly string[];
  /** Names that it may not import from a folder. */
  readonly without?: Readonly<Record<string, RegExp>>;
  /** Whether it may use the runtimes' common built-ins (`node:`), or which of them. */
  readonly builtins: boolean | readonly string[];
}

const feature: Layer = { from: ["messenger", "core", "runtime"], builtins: true };

/** The folders under `src/`, `ffi`, and `root` for the files directly in `src/`. */
export const layers: Readonly<Record<string, Layer>> = {
  core: { from: [], builtins: false },
  ffi: { from: ["core"], builtins: true },
  runtime: { from: ["core"], builtins: true },
  // Its conversions between bytes and texts do no I/O.
  wire: { from: ["core"], builtins: ["node:buffer"] },
  libzmq: { from: ["ffi", "runtime", "core"], builtins: true },
  transport: { from: ["libzmq", "wire", "runtime", "core"], builtins: true },
  messenger: { from: ["transport", "wire", "core"], without: { transport: /^Zmq/ }, builtins: true },
  events: { ...feature, from: [...feature.from, "wire"] },
  streams: { ...feature, from: [...feature.from, "wire"] },
  discovery: feature,
  services: { from: ["messenger", "discovery", "core"], builtins: false },
  cohort: feature,
  executor: feature,
  actors: { ...feature, from: [...feature.from, "streams", "events", "wire"] },
  // Above the root: it makes the messenger on which it answers.
  broker: { ...feature, from: [...feature.from, "root", "streams", "zmq", "libzmq", "wire", "transport"] },
  "json-schema": { from: ["messenger", "core"], builtins: false },
  otel: { from: ["messenger", "core"], builtins: false },
  prometheus: { from: ["messenger", "core"], builtins: true },
  zmq: { from: ["libzmq", "runtime", "core"], builtins: true },
  root: {
    from: [
      "messenger",
      "transport",
      "libzmq",
      "wire",
      "core",
      "ffi",
      "runtime",
      "events",
      "streams",
      "discovery",
      "services",
    ],
    builtins: true,
  },
  cli: {
    from: ["root", "messenger", "core", "runtime", "ffi", "discovery", "broker", "actors"],
    builtins: true,
  },
};

/**
 * Entry points beside a folder's `mod.ts`: each has an optional dependency of its own, or is for tests or the command line
 * and not for users.
 */
const sideDoors: readonly string[] = [
  "src/actors/update/module_folders.ts",
  "src/discovery/conformance.ts",
  "src/discovery/etcd.ts",
  "src/discovery/nats.ts",
];

/** An import of a file. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** The imported names, as the other file exports them. */
  readonly names: readonly string[];
}

/** The imports and re-exports of a file, with types and dynamic imports of literals. */
export function importsOf(file: SourceFile): Import[] {
  const imports: Import[] = [];
  const statement =
    /(?:^|[\n;}])\s*(import|export)\s+(?:type\s+)?((?:[\w$]+\s*,?\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?)?\s*)from\s*["']([^"']+)["']/g;
  for (const match of file.code.matchAll(statement)) {
    const [whole, keyword = "", clause = "", specifier = ""] = match;
    const start = match.index + whole.indexOf(keyword);
    imports.push({
      specifier,
      line: lineAt(file.code, start),
      names: namesIn(clause).map((name) => name.replace(/^type\s+/, "").replace(/\s+as\s.*$/, "")),
    });
  }
  for (const match of file.code.matchAll(/\bimport\s*\(?\s*["']([^"']+)["']/g)) {
    imports.push({ specifier: match[1] ?? "", line: lineAt(file.code, match.index), names: [] });
  }
  return imports;
}

/** The folder of a file, or undefined outside the library. */
export function layerOf(path: string): string | undefined {
  if (path.startsWith("ffi/")) return "ffi";
  const match = /^src\/(?:([^/]+)\/)?[^/]+$|^src\/([^/]+)\//.exec(path);
  if (match === null) return undefined;
  return match[1] ?? match[2] ?? "root";
}

/**
 * The forbidden imports of the library's files.
 *
 * @param files The files; those outside `ffi/` and `src/` are skipped.
 * @param packages The allowed packages.
 */
export function layerProblems(files: readonly SourceFile[], packages: readonly string[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    const name = layerOf(file.path);
    if (name === undefined) continue;
    const layer = layers[name];
    if (layer === undefined) {
      problems.push(
        `${file.path}: the folder src/${name} is in no layer; give it one in tools/checks/layers.ts`,
      );
      continue;
    }
    for (const one of importsOf(file)) {
      const problem = judge(file.path, name, layer, one, packages);
      if (problem !== undefined) problems.push(`${file.path}:${one.line}: ${problem}`);
    }
  }
  return [...problems, ...cycleProblems(files), ...featureProblems(files)];
}

const featureNames =
  /(?<![A-Za-z])(?:event|cohort|service|executor|stream|actor|broker)s?(?![a-z])|(?:Event|Cohort|Service|Executor|(?<!Readable)Stream|Actor|Broker)s?(?!Listener|[a-z])/g;

/** Names of features in the messenger, on which they are built. The rules of plain Velo are in its folder. */
function featureProblems(files: readonly SourceFile[]): string[] {
  return files.filter(({ path }) => /^src\/messenger\/(?!velo\/)/.test(path)).flatMap(({ path, code }) =>
    [...code.matchAll(featureNames)].map((match) =>
      `${path}:${lineAt(code, match.index)}: the messenger names a feature that is built on it ("${
        match[0]
      }")`
    )
  );
}

function judge(
  path: string,
  name: string,
  layer: Layer,
  one: Import,
  packages: readonly string[],
): string | undefined {
  const { specifier } = one;
  if (specifier.startsWith("node:")) {
    const { builtins } = layer;
    const may = typeof builtins === "boolean" ? builtins : builtins.includes(specifier);
    return may ? undefined : `${name} is pure and may not import ${specifier}`;
  }
  if (specifier.startsWith("bun:")) {
    return name === "ffi" || name === "runtime" ? undefined : `${specifier} belongs into ffi or runtime`;
  }
  if (!specifier.startsWith(".")) {
    const found = packages.some((known) => specifier === known || specifier.startsWith(`${known}/`));
    return found ? undefined : `${specifier} is no dependency of package.json`;
  }
  const target = posix.join(posix.dirname(path), specifier);
  const other = layerOf(target);
  if (other === undefined) return `${specifier} lies outside ffi/ and src/`;
  const door = other === "ffi" ? "ffi/mod.ts" : `src/${other}/mod.ts`;
  if (other === name) {
    return name !== "root" && target === door ? `${specifier} is this folder's own door` : undefined;
  }
  if (!layer.from.includes(other)) return `${name} may not import ${other} (${specifier})`;
  if (other !== "root" && target !== door && !sideDoors.includes(target)) {
    return `${specifier} goes round ${door}`;
  }
  const excluded = one.names.filter((imported) => layer.without?.[other]?.test(imported) === true);
  return excluded.length === 0
    ? undefined
    : `${name} knows the interface of ${other} and not its implementation (${excluded.join(", ")})`;
}

function namesIn(clause: string): string[] {
  const names = /\{([^}]*)\}/.exec(clause)?.[1] ?? "";
  return names.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** Import cycles between files, with those of types only: to read one such file one must read all. */
function cycleProblems(files: readonly SourceFile[]): string[] {
  const inLibrary = files.filter(({ path }) => layerOf(path) !== undefined);
  const graph = new Map(inLibrary.map((file) => [file.path, targetsOf(file)]));
  const problems = circlesOf(graph);
  return problems.length > 0 ? problems : circlesOf(folderGraph(graph));
}

function targetsOf(file: SourceFile): string[] {
  const targets = importsOf(file).filter((one) => one.specifier.startsWith("."));
  return targets.map((one) => posix.join(posix.dirname(file.path), one.specifier));
}

/** The layers whose folders depend on each other in both directions. */
const withoutOrder = ["messenger"];

/** The imports between the folders of each layer, and the files beside them. */
function folderGraph(graph: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  for (const [path, targets] of graph) {
    const layer = layerOf(path)!;
    if (withoutOrder.includes(layer)) continue;
    const from = partOf(path);
    const others = targets.filter((one) => layerOf(one) === layer).map(partOf).filter((one) => one !== from);
    folders.set(from, [...folders.get(from) ?? [], ...others]);
  }
  return folders;
}

/** `src/actors/cell` for `src/actors/cell/ask.ts`, and the path for a file that is in no such folder. */
function partOf(path: string): string {
  return path.split("/").slice(0, 3).join("/");
}

function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const seen = trail.indexOf(path);
    if (seen >= 0) {
      problems.push(`${path}: imports itself in a circle: ${[...trail.slice(seen), path].join(" → ")}`);
      return;
    }
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return problems;
}
