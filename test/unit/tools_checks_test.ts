import { describe, expect, test } from "bun:test";
import { anyProblems, moduleDocProblems, readmeProblems } from "../../tools/checks/docs.ts";
import { importsOf, layerOf, layerProblems } from "../../tools/checks/layers.ts";
import { type Json, manifestProblems, publishedExport, taskNames } from "../../tools/checks/manifests.ts";
import { placeProblems } from "../../tools/checks/places.ts";
import { fileProblems, longestFile, ruleProblems } from "../../tools/checks/rules.ts";
import { codeOnly, withoutComments } from "../../tools/checks/source_text.ts";
import { sourceFile } from "../../tools/checks/tree.ts";

describe("source_text", () => {
  test("withoutComments() keeps strings that look like comments, and every position", () => {
    const text =
      'const a = "//no"; // yes\n/* two\nlines */ const b = `/*${a /* c */}*/`; const c = /\\/\\*"/; // d';
    const code = withoutComments(text);
    expect(code).toHaveLength(text.length);
    expect(code.split("\n")).toHaveLength(3);
    expect(code).toContain('"//no"');
    expect(code).toContain('const c = /\\/\\*"/;');
    expect(code).not.toMatch(/yes|two|lines|c \*|d$/);
  });

  test("codeOnly() blanks strings, templates and regular expressions, but not what a template computes", () => {
    const code = codeOnly("f('Deno.x', `Bun.y ${Deno.z({ a: `q` })} w`, /Math.random[/]/, 4 / 2 / 1); g");
    expect(code).not.toMatch(/Deno\.x|Bun\.y|random|q/);
    expect(code).toContain("Deno.z({ a: ` ` })");
    expect(code).toContain("4 / 2 / 1); g");
  });
});

describe("layers", () => {
  const problemsOf = (path: string, text: string, packages: string[] = []) =>
    layerProblems([sourceFile(path, text)], packages);

  test("importsOf() finds static, dynamic, type-only and re-exported imports", () => {
    const file = sourceFile(
      "src/core/x.ts",
      `import a, { b } from "./1.ts";
import type { c } from "./2.ts";
export {
  type d,
  type e as f,
} from "./3.ts";
// import { no } from "./no.ts";
import "./4.ts";
const g = await import("./5.ts");
type H = import("./6.ts").H; type I = typeof import("./7.ts");
export * from "./8.ts";
`,
    );
    const found = importsOf(file).sort((x, y) => x.specifier < y.specifier ? -1 : 1);
    expect(found.map((one) => one.specifier)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((name) => `./${name}.ts`));
    expect(found[2]).toMatchObject({ line: 3, names: ["d", "e"] });
  });

  test("layerOf() knows folders, the root and what is outside", () => {
    expect(layerOf("src/wire/a.ts")).toBe("wire");
    expect(layerOf("src/discovery/etcd/a.ts")).toBe("discovery");
    expect(layerOf("src/messenger.ts")).toBe("root");
    expect(layerOf("ffi/bun.ts")).toBe("ffi");
    expect(layerOf("test/unit/a_test.ts")).toBeUndefined();
  });

  test("finds an import that goes up", () => {
    const problems = problemsOf("src/wire/frame.ts", `import { Link } from "../transport/mod.ts";`);
    expect(problems).toEqual(["src/wire/frame.ts:1: wire may not import transport (../transport/mod.ts)"]);
    expect(problemsOf("src/core/a.ts", `import type { M } from "../messenger.ts";`)).toHaveLength(1);
    expect(problemsOf("ffi/a.ts", `import type { M } from "../src/libzmq/mod.ts";`)).toHaveLength(1);
  });

  test("finds an import round a door, of an own door, and out of the library", () => {
    expect(problemsOf("src/libzmq/a.ts", `import { x } from "../../ffi/bun.ts";`)[0]).toContain(
      "goes round ffi/mod.ts",
    );
    expect(problemsOf("src/libzmq/a.ts", `import { x } from "./mod.ts";`)[0]).toContain("own door");
    expect(problemsOf("src/libzmq/a.ts", `import { x } from "../../test/x.ts";`)[0]).toContain("outside");
  });

  test("finds features that import each other, and allows the two that may", () => {
    expect(problemsOf("src/cohort/a.ts", `import { x } from "../events/mod.ts";`)).toHaveLength(1);
    expect(problemsOf("src/actors/a.ts", `import { x } from "../events/mod.ts";`)).toEqual([]);
    expect(problemsOf("src/broker/a.ts", `import { x } from "../libzmq/mod.ts";`)).toEqual([]);
  });

  test("finds an implementation where only the interface may be known", () => {
    const text = `import { type Link, ZmqTransport } from "../transport/mod.ts";`;
    expect(problemsOf("src/messenger/a.ts", text)[0]).toContain("ZmqTransport");
    expect(problemsOf("src/messenger/a.ts", `import { type Link } from "../transport/mod.ts";`)).toEqual([]);
  });

  test("finds built-ins in pure folders, and packages that are no dependency", () => {
    expect(problemsOf("src/wire/a.ts", `import fs from "node:fs";`)).toHaveLength(1);
    expect(problemsOf("src/libzmq/a.ts", `import fs from "node:fs";`)).toEqual([]);
    expect(problemsOf("src/wire/a.ts", `import { xxhash3 } from "hash-wasm/xxhash3";`, ["hash-wasm"]))
      .toEqual([]);
    expect(problemsOf("src/wire/a.ts", `import { xxhash3 } from "hash-wasm";`)).toHaveLength(1);
    expect(problemsOf("src/libzmq/a.ts", `import { x } from "bun:ffi";`)).toHaveLength(1);
  });

  test.each([
    ["of values", `import { a } from "./a.ts";`],
    ["of types", `import type { a } from "./a.ts";`],
    ["of re-exports", `export { type a } from "./a.ts";`],
    ["of types named in place", `export type B = import("./a.ts").A;`],
    ["through a folder", `import type { c } from "./deep/c.ts";`],
  ])("finds a circle %s, once", (_, text) => {
    const files = [
      sourceFile("src/core/a.ts", `import { b } from "./b.ts";`),
      sourceFile("src/core/b.ts", text),
      sourceFile("src/core/deep/c.ts", `import type { a } from "../a.ts";`),
      sourceFile("src/core/deep/d.ts", `import type { c } from "./c.ts";`),
    ];
    expect(layerProblems(files, [])).toEqual([
      expect.stringMatching(
        /^src\/core\/a\.ts: imports itself in a circle: src\/core\/a\.ts → src\/core\/b\.ts → /,
      ),
    ]);
  });

  test("finds a circle of folders whose files form none", () => {
    const files = [
      sourceFile("src/core/one/a.ts", `import { b } from "../two/b.ts";`),
      sourceFile("src/core/one/c.ts", ""),
      sourceFile("src/core/two/b.ts", `import type { c } from "../one/c.ts";`),
    ];
    expect(layerProblems(files, [])).toEqual([
      "src/core/one: imports itself in a circle: src/core/one → src/core/two → src/core/one",
    ]);
  });

  test("finds no circle where files only share one, and finds a folder without a layer", () => {
    const files = [
      sourceFile("src/core/a.ts", `import { b } from "./b.ts"; import type { c } from "./c.ts";`),
      sourceFile("src/core/b.ts", `import type { c } from "./c.ts";`),
      sourceFile("src/core/c.ts", ""),
    ];
    expect(layerProblems(files, [])).toEqual([]);
    expect(problemsOf("src/novelty/a.ts", "")).toHaveLength(1);
  });

  test.each([
    ["const events = 1;", 1],
    ["class ActorSystem {}\nconst cohort = 1;", 2],
    ['throw new Error("no service");', 1],
    ["const lastBroker = myExecutors;", 2],
    ["const streams = new StreamMux();", 2],
    ["new ReadableStream<never>({});", 0],
    ["const factor = reactors + eventual;", 0],
    ['signal.addEventListener("abort", run); // an event', 0],
  ])("finds the names of features in the messenger, outside its folder for Velo: %s", (text, count) => {
    expect(problemsOf("src/messenger/calls/a.ts", text)).toHaveLength(count);
    expect(problemsOf("src/messenger/velo/a.ts", text)).toHaveLength(0);
    expect(problemsOf("src/events/a.ts", text)).toHaveLength(0);
  });
});

describe("rules", () => {
  test.each([
    ["src/libzmq/a.ts", "Deno.version;"],
    ["src/libzmq/a.ts", "if (globalThis.Bun) f();"],
    ["test/process/a_test.ts", "Bun.version;"],
    ["test/conformance/a_test.ts", `import { test } from "bun:test";`],
    ["src/messenger/a.ts", "setTimeout(f, 1);"],
    ["src/messenger/a.ts", "if (session.zeromesh) f();"],
    ["src/messenger/peers/a.ts", "const { zeromesh } = peer;"],
    ["src/messenger/handlers/a.ts", "return { plainText: f(text) };"],
    ["src/messenger/handlers/a.ts", "const code = codeOfVeloText(text);"],
    ["src/messenger/a.ts", "const t = `${Date.now()}`;"],
    ["src/core/backoff.ts", "const r = Math.random();"],
    ["src/core/a.ts", "performance.now();"],
    ["src/transport/a.ts", "setImmediate(f);"],
    ["src/core/a.ts", "process.env.X;"],
    ["ffi/a.ts", "console.log(1);"],
    ["src/core/a.ts", "export default 1;"],
    ["src/core/mod.ts", `export * from "./a.ts";`],
    ["test/unit/a_test.ts", "const x: any = 1;"],
    ["src/core/a.ts", "f(x as any);"],
    ["src/core/a.ts", "type T = Promise<any>;"],
    ["tools/a.ts", "const enum E { A }"],
    ["test/process/a_test.ts", "await new Promise((r) => setTimeout(r, 5));"],
  ])("finds in %p: %s", (path, text) => {
    expect(ruleProblems([sourceFile(path, `\n${text}\n`)])).toEqual([expect.stringContaining(`${path}:2: `)]);
  });

  test.each([
    ["src/core/clock.ts", "setTimeout(f, 1); Date.now(); performance.now();"],
    ["src/libzmq/reactor.ts", "setImmediate(f);"],
    ["src/runtime/deno.ts", "Deno.openSync(x);"],
    ["ffi/bun.ts", "Bun.version;"],
    [
      "src/core/a.ts",
      `// Deno.x, any, setTimeout(f)\nconst s = "Deno.x as any"; this.setTimeout(1); many(s); anyOf(s);`,
    ],
    ["src/wire/a.ts", "const clock = { setTimeout: f }; Promise.any(x);"],
    ["src/messenger/a.ts", "return { zeromesh: dialect.ours }; // to plain Velo\nexplained(why);"],
    ["src/messenger/velo/a.ts", "const { zeromesh } = peer; veloText.draining;"],
  ])("allows in %p: %s", (path, text) => {
    expect(ruleProblems([sourceFile(path, text)])).toEqual([]);
  });

  test("finds files that are too long or badly named", () => {
    const long = sourceFile("src/core/a.ts", "x;\n".repeat(longestFile + 1));
    const named = ["src/core/utils.ts", "src/core/camelCase.ts", "src/core/fine_name.ts"].map((path) =>
      sourceFile(path, "x;")
    );
    expect(fileProblems([long])).toHaveLength(1);
    expect(fileProblems(named)).toHaveLength(2);
  });
});

describe("manifests", () => {
  const fine = () => {
    const tasks = Object.fromEntries(taskNames.map((name) => [name, `env bun run ${name}`]));
    return {
      packageJson: {
        name: "zeromesh",
        version: "1.2.3",
        license: "X",
        exports: { ".": publishedExport("./src/mod.ts") },
        scripts: { ...tasks, prepack: "bun run build" },
        dependencies: { zod: "1" },
      },
      denoJson: {
        name: "@a/zeromesh",
        version: "1.2.3",
        license: "X",
        exports: { ".": "./src/mod.ts" },
        imports: { zeromesh: "./src/mod.ts" },
        tasks,
      },
      tsconfig: { compilerOptions: { paths: { zeromesh: ["./src/mod.ts"] } } },
      lock: JSON.stringify({ packages: { "": { version: "1.2.3", dependencies: { zod: "1" } } } }),
      changelog: "# Changelog\n\n## 1.2.3, unreleased\n",
      exists: () => true,
    };
  };

  test("accepts manifests that agree", () => {
    expect(manifestProblems(fine())).toEqual([]);
    expect(publishedExport("./ffi/mod.ts").types).toBe("./dist/lib/ffi/mod.d.ts");
  });

  const change = (edit: (manifests: ReturnType<typeof fine>) => object): string[] => {
    const manifests = fine();
    return manifestProblems({ ...manifests, ...edit(manifests) });
  };

  test.each<[string, (manifests: ReturnType<typeof fine>) => object]>([
    ["version", (m) => ({ denoJson: { ...m.denoJson, version: "1.2.4" } as Json })],
    ["name", (m) => ({ denoJson: { ...m.denoJson, name: "@a/other" } as Json })],
    ["license", (m) => ({ denoJson: { ...m.denoJson, license: "Y" } as Json })],
    ["CHANGELOG.md", () => ({ changelog: "## 1.2.30\n" })],
    ["exports", (m) => ({ packageJson: { ...m.packageJson, exports: { ".": "./src/mod.ts" } } as Json })],
    ["exist", () => ({ exists: () => false })],
    ["paths", () => ({ tsconfig: {} as Json })],
    [
      "lacks extra",
      (m) => ({ denoJson: { ...m.denoJson, tasks: { ...m.denoJson.tasks, extra: "env bun x" } } as Json }),
    ],
    [
      "env bun",
      (m) => ({ denoJson: { ...m.denoJson, tasks: { ...m.denoJson.tasks, test: "bun x" } } as Json }),
    ],
    ["names a host", (m) => ({ lock: `${m.lock}\n`.replace("{", `{"resolved": "x",`) })],
    ["dependencies", (m) => ({ lock: m.lock.replace('"zod":"1"', '"zod":"2"') })],
    [
      "wants zod-other-platform",
      (m) => ({
        lock: m.lock.replace(
          '"packages":{',
          '"packages":{"node_modules/zod":{"optionalDependencies":{"zod-other-platform":"1"}},',
        ),
      }),
    ],
  ])("finds a difference: %s", (what, edit) => {
    expect(change(edit).join("\n")).toContain(what);
  });
});

describe("docs and places", () => {
  test("moduleDocProblems() wants @module and an example", () => {
    const fine = { path: "a/mod.ts", text: "/**\n * A.\n *\n * ```ts\n * x;\n * ```\n *\n * @module\n */\n" };
    expect(moduleDocProblems([fine])).toEqual([]);
    expect(moduleDocProblems([{ ...fine, text: fine.text.replace("@module", "") }])).toHaveLength(1);
    expect(moduleDocProblems([{ ...fine, text: fine.text.replace("```ts", "") }])).toHaveLength(1);
  });

  test("anyProblems() finds an any inside a public type", () => {
    const type = { repr: "any", kind: "keyword", keyword: "any" };
    expect(anyProblems({ nodes: [{ name: "f", params: [{ name: "x", tsType: type }] }] })).toEqual([
      "f.x: its public type has an any",
    ]);
    expect(anyProblems({ nodes: [{ name: "f", params: [{ kind: "keyword", keyword: "string" }] }] })).toEqual(
      [],
    );
  });

  test("readmeProblems() finds unknown scripts and missing permissions", () => {
    const facts = { scripts: ["test", "quickstart"], permissions: ["--allow-ffi"] };
    expect(readmeProblems("npm run test, bun run tools/x.ts, --allow-ffi", facts)).toEqual([]);
    expect(readmeProblems("deno task tset", facts)).toHaveLength(2);
  });

  test("placeProblems() finds paths that leave the repository, and paths of a machine", () => {
    const up = "..".concat("/");
    const problems = (path: string, text: string) => placeProblems([{ path, text }], ["/home/someone"]);
    expect(problems("README.md", `see ${up}elsewhere/a.md`)).toHaveLength(1);
    expect(problems("src/libzmq/a.ts", `"${up}${up}ffi/mod.ts"`)).toEqual([]);
    expect(problems("src/libzmq/a.ts", `"${up}${up}${up}x.ts"`)).toHaveLength(1);
    expect(problems("README.md", "in /home/someone/x")).toHaveLength(1);
  });
});
