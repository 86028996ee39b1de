import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { relative } from "node:path";
import process from "node:process";
import { countJunit } from "../../tools/testing/junit.ts";
import { runInLanes } from "../../tools/testing/lanes.ts";
import {
  busyFiles,
  jobCommand,
  lanesOf,
  lonelyFiles,
  oneByOne,
  packageFiles,
  planJobs,
  quickFiles,
  rings,
  usesPackage,
} from "../../tools/testing/plan.ts";
import { type JobResult, runJob } from "../../tools/testing/run_job.ts";
import { repositoryRoot, type RuntimeName } from "../support/runtime.ts";

describe("countJunit()", () => {
  test("counts Bun's report with its groups", () => {
    const counts = countJunit(`<testsuites><testsuite name="a_test.ts">
      <testcase name="one" classname="" file="a_test.ts" />
      <testcase name="two &lt;&#10;&gt;" classname="group"><failure type="E" message="m">t</failure></testcase>
      <testcase name="three" classname="inner &gt; group"><skipped message="TODO" /></testcase>
      </testsuite></testsuites>`);
    expect(counts).toEqual({ passed: 1, failed: ["group > two < >"], skipped: ["group > inner > three"] });
  });

  test("leaves Deno's groups out, unless the group itself failed", () => {
    const counts = countJunit(`<testsuites>
      <testcase name="ok" classname="./a_test.ts"></testcase>
      <testcase name="group" classname="./a_test.ts"><failure message="1 step">1 step</failure></testcase>
      <testcase name="group &gt; one" classname="ext:x.ts"></testcase>
      <testcase name="group &gt; two" classname="ext:x.ts"><failure message="m">t</failure></testcase>
      <testcase name="alone" classname="./a_test.ts"><failure message="own">own</failure></testcase>
      <testcase name="alone &gt; fine" classname="./a_test.ts"></testcase>
      <testcase name="later" classname="./a_test.ts"><skipped/></testcase></testsuites>`);
    expect(counts).toEqual({ passed: 3, failed: ["group > two", "alone"], skipped: ["later"] });
  });
});

describe("planJobs()", () => {
  test("takes for --quick the ring unit and files of conformance that exist, on both runtimes", () => {
    const quick = planJobs({
      runtimes: ["bun", "deno"],
      rings: rings.map((ring) => ring.name),
      only: undefined,
      long: false,
      quick: true,
    });
    expect(new Set(quick.map((job) => job.ring.name))).toEqual(new Set(["unit", "conformance"]));
    for (const runtime of ["bun", "deno"]) {
      const files = quick.filter((job) => job.ring.name === "conformance" && job.runtime === runtime);
      expect(files.flatMap((job) => job.files).sort()).toEqual([...quickFiles]);
    }
  });

  test("drives the programs from one runtime, for --long from both", () => {
    const drivers = (long: boolean, runtimes: readonly RuntimeName[]): RuntimeName[] => {
      const selection = { runtimes, rings: ["programs"], only: /guides_test/, long, quick: false };
      return planJobs(selection).map((job) => job.runtime);
    };
    expect(drivers(false, ["bun", "deno"])).toEqual(["bun"]);
    expect(drivers(false, ["deno"])).toEqual(["deno"]);
    expect(drivers(true, ["bun", "deno"])).toEqual(["bun", "deno"]);
  });

  test("files that run alone, take two lanes, or try the package are there", () => {
    const all = planJobs({
      runtimes: ["bun", "deno"],
      rings: rings.map((ring) => ring.name),
      only: undefined,
      long: true,
      quick: false,
    });
    const files = (which: (job: (typeof all)[number]) => boolean): number =>
      new Set(all.filter(which).flatMap((job) => job.files)).size;
    expect(files((job) => lanesOf(job) === Infinity)).toBe(lonelyFiles.size);
    expect(files((job) => lanesOf(job) === 2)).toBe(busyFiles.size);
    expect(files(usesPackage)).toBe(packageFiles.size);
  });
});

describe("planJobs() for a whole run", () => {
  const selection = {
    runtimes: ["bun", "deno"] as const,
    rings: rings.map((ring) => ring.name),
    only: undefined,
    long: false,
    quick: false,
  };
  const filesOf = (jobs: readonly { runtime: string; files: readonly string[] }[]): string[] =>
    jobs.flatMap(({ runtime, files }) => files.map((file) => `${runtime} ${file}`)).sort();

  test("has each file once on each runtime, whether it shares a process or has its own", () => {
    const together = planJobs(selection);
    const alone = planJobs({ ...selection, only: /./ });
    expect(filesOf(together)).toEqual(filesOf(alone));
    expect(together.length).toBeLessThan(0.7 * alone.length);
    expect(Math.max(...alone.map(({ files }) => files.length))).toBe(1);
    expect(filesOf(together.flatMap(oneByOne))).toEqual(filesOf(alone));
  });

  test("lets only small files share", () => {
    const shared = planJobs(selection).filter(({ files }) => files.length > 1);
    expect(new Set(shared.map(({ ring }) => ring.name))).toEqual(
      new Set(["unit", "process", "conformance"]),
    );
    const all = new Set(shared.flatMap(({ files }) => files));
    expect([...lonelyFiles, ...busyFiles].filter((file) => all.has(file))).toEqual([]);
    expect([...all].filter((file) => /\/(?:ffi|zmq)_/.test(file))).toEqual([]);
  });
});

describe("runInLanes()", () => {
  test("runs as many at once as there are lanes, and what takes all of them alone and last", async () => {
    const sizes: Record<string, number> = { a: 1, alone: Infinity, b: 1, wide: 2, c: 1, d: 1 };
    const running = new Map<string, () => void>();
    const begun: string[] = [];
    const over = runInLanes(Object.keys(sizes), 2, (name) => sizes[name]!, async (name) => {
      begun.push(name);
      await new Promise<void>((resolve) => running.set(name, resolve));
      running.delete(name);
    });
    const end = async (name: string, left: readonly string[]): Promise<void> => {
      running.get(name)!();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      expect([...running.keys()]).toEqual([...left]);
    };
    expect(begun).toEqual(["a", "b"]);
    await end("b", ["a", "c"]);
    await end("a", ["c", "d"]);
    await end("c", ["d"]);
    await end("d", ["alone"]);
    await end("alone", ["wide"]);
    await end("wide", []);
    await over;
  });

  test("runs one wide job at a time beside small ones, and more when no small one is left", async () => {
    const sizes: Record<string, number> = { a: 1, b: 1, v: 2, c: 1, w: 2, x: 2, d: 1, alone: Infinity };
    const running = new Map<string, () => void>();
    const over = runInLanes(Object.keys(sizes), 4, (name) => sizes[name]!, async (name) => {
      await new Promise<void>((resolve) => running.set(name, resolve));
      running.delete(name);
    });
    const end = async (name: string, left: readonly string[]): Promise<void> => {
      running.get(name)!();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      expect([...running.keys()]).toEqual([...left]);
    };
    expect([...running.keys()]).toEqual(["v", "a", "b"]);
    await end("a", ["v", "b", "c"]);
    await end("v", ["b", "c", "w"]);
    await end("b", ["c", "w", "d"]);
    await end("c", ["w", "d"]);
    await end("d", ["w", "x"]);
    await end("w", ["x"]);
    await end("x", ["alone"]);
    await end("alone", []);
    await over;
  });

  test("a job that fails fails the whole", async () => {
    const run = (): Promise<void> => Promise.reject(new Error("no"));
    await expect(runInLanes(["a", "b"], 2, () => 1, run)).rejects.toThrow("no");
  });
});

describe("runJob()", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(`${tmpdir()}/runner-`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function run(
    runtime: RuntimeName,
    name: string,
    source: string | readonly string[],
    timeoutMs = 60_000,
  ): Promise<JobResult> {
    const files = [source].flat().map((text, index) => {
      const path = `${folder}/${name}_${index}_${runtime}_test.ts`;
      writeFileSync(path, text);
      return relative(repositoryRoot, path);
    });
    const report = `${folder}/${name}_${runtime}.xml`;
    const ring = rings.find((one) => one.name === "process") ?? rings[0];
    if (ring === undefined) throw new Error("There are no rings");
    const command = jobCommand({ ring, runtime, files }, {
      report,
      temporaryFolder: folder,
      testTimeoutMs: 60_000,
      names: undefined,
      denoFlags: [],
    });
    return await runJob({ command, report, env: process.env, timeoutMs, files, mayBeEmpty: false });
  }

  for (const runtime of ["bun", "deno"] as const) {
    describe(`on ${runtime}`, () => {
      test("counts what passed and was skipped", async () => {
        const result = await run(
          runtime,
          "fine",
          `import { test } from "node:test";
          test("one", () => console.log("# a note"));
          test.skip("two: not today", () => {});`,
        );
        expect(result).toMatchObject({
          passed: 1,
          failed: [],
          skipped: ["two: not today"],
          notes: ["# a note"],
        });
      });

      test("counts what several files in one process came to", async () => {
        const source = (name: string, body: string): string =>
          `import { test } from "node:test"; test("${name}", () => { ${body} });`;
        const result = await run(runtime, "several", [source("one", ""), source("two", "throw new Error()")]);
        expect(result).toMatchObject({ passed: 1, failed: ["two"] });
      });

      test("fails a file that throws while it loads", async () => {
        const result = await run(
          runtime,
          "load",
          `import { test } from "node:test";
          test("one", () => {});
          throw new Error("at load");`,
        );
        expect(result.failed).toHaveLength(1);
      });

      test("fails an error in a callback after its test", async () => {
        const result = await run(
          runtime,
          "late",
          `import { test } from "node:test";
          test("one", () => { setTimeout(() => { throw new Error("late"); }, 20); });
          test("two", () => new Promise((resolve) => setTimeout(resolve, 100)));`,
        );
        expect(result.failed).toHaveLength(1);
      });

      test("fails a file without tests", async () => {
        expect((await run(runtime, "empty", "export {};")).failed).toEqual(["(the file has no tests)"]);
      });

      // Each file runs on Bun, whose report names the files.
      if (runtime === "bun") {
        test("fails several files of which one has no tests", async () => {
          const source = `import { test } from "node:test"; test("one", () => {});`;
          const { failed } = await run(runtime, "empty_beside", [source, "export {};"]);
          expect(failed).toEqual([expect.stringMatching(/empty_beside_1_bun_test.ts has no tests/)]);
        });
      }

      test("fails a file that ends the process", async () => {
        const result = await run(
          runtime,
          "exit",
          `import { test } from "node:test";
          import process from "node:process";
          test("one", () => process.exit(0));`,
        );
        // Deno still writes a report, with the test as failed; Bun ends at once.
        expect(result.failed).toEqual([runtime === "bun" ? "(ended without a report, exit code 0)" : "one"]);
      });

      test("kills a file that hangs", async () => {
        const result = await run(
          runtime,
          "hang",
          `import { test } from "node:test";
          test("one", () => { for (;;); });`,
          1500,
        );
        expect(result.failed).toEqual(["(no end within 1.5 s: killed)"]);
      });

      test("ends and names a process that is left behind", async () => {
        const result = await run(
          runtime,
          "left",
          `import { test } from "node:test";
          import { spawn } from "node:child_process";
          test("one", () => { spawn("sleep", ["77"], { stdio: "ignore" }).unref(); });`,
        );
        expect(result.passed).toBe(1);
        expect(result.failed).toEqual([expect.stringMatching(/^\(left a process behind: .*sleep 77\)$/)]);
      });
    });
  }
});
