/** The page of a result: the method, how to read it, and its tables. */
import { type BenchResult, type ScenarioResult, subjectTitles } from "../harness/bench_result.ts";
import { asMarkdown, tablesOf } from "../harness/tables.ts";

/** Names of the page's files. */
export interface PageFiles {
  /** The JSON, relative to the page. */
  readonly data: string;
  /** The plot, relative to the page. */
  readonly plot: string;
}

/** The whole page. */
export function pageOf(result: BenchResult, files: PageFiles): string {
  return `${
    [
      "# Benchmarks",
      "",
      `<!-- Made by \`bun run bench/report.ts\` from ${files.data}; changes by hand are lost. -->`,
      "",
      "How fast zeromesh is between two processes, next to libzmq from C and to other ways to call another process. All of",
      "it was measured in one run, in turn; each figure is the median of " +
      `${plural(result.settings.rounds, "round")} of ${result.settings.ms} ms.`,
      ...(result.settings.quick
        ? ["", "> This is a quick run. It shows that every scenario works; its figures are noise."]
        : []),
      "",
      `![Calls a second and cost curves](${files.plot})`,
      "",
      ...howToRun(files),
      "",
      ...howToRead(),
      "",
      ...about(result),
      ...result.scenarios.flatMap(section),
    ].join("\n")
  }\n`;
}

function howToRun({ data }: PageFiles): string[] {
  return [
    "## How to run it",
    "",
    "```sh",
    "bun run bench                                # everything, 5 rounds; writes bench/results/DATE.json",
    "bun run bench --help                         # the scenarios and options",
    "bun run bench --quick                        # shows within minutes that everything works",
    "bun run bench --only in-flight --rounds 9    # one question, more rounds",
    "bun run bench --runtimes bun --baselines c   # some of the subjects",
    "```",
    "",
    "This page and its plot come from a committed result:",
    "",
    "```sh",
    `bun run bench --out docs/${data}`,
    "bun run bench/report.ts",
    "```",
    "",
    "The baselines are not installed with the library. C is compiled if there are a compiler and `zmq.h` (Debian: `gcc`,",
    "`libzmq3-dev`). `zeromq`, `@grpc/grpc-js` and the client of NATS are installed on demand below `bench/baseline/` with npm.",
    "The first two run on Node. NATS needs its server (Debian: `nats-server`). A missing baseline is skipped, and the output",
    "says so.",
  ];
}

function howToRead(): string[] {
  return [
    "## How to read it",
    "",
    "- Absolute times are those of one machine on one day. Compare inside a table, best by the ratios: zeromesh and the",
    "  baseline took turns within seconds. A ratio of 1.50 means 1.5 times the rate of the baseline, or 1.5 times its time.",
    "- Caller and callee are always two processes on one host, over TCP on 127.0.0.1 or over IPC (Unix domain sockets).",
    "  Bun → Deno is Bun calling Deno.",
    "- Every JavaScript program runs the same measuring loop: one promise per call, the clock read once per call, and the",
    "  size of each answer checked. C is a blocking program: a DEALER and a ROUTER that exchange the same three frames over one",
    "  connection. For messages without an answer it is a PUSH and a PULL.",
    "- The cost curves are over TCP only. Handlers, peers and calls in flight are tables and queues of the library, which both",
    "  transports share.",
    "- zeromesh runs with its defaults. The echo handler is a plain `unaryHandler`, the counting one an inline `amHandler`.",
    "- A call through NATS goes through a broker, and gRPC and HTTP have protocols of their own. They do more, and are included",
    "  because they are the usual alternatives.",
  ];
}

function about({ machine, versions, date, scenarios }: BenchResult): string[] {
  const minutes = scenarios.reduce((sum, { tookSeconds }) => sum + tookSeconds, 0) / 60;
  return [
    "## This run",
    "",
    "| | |",
    "| --- | --- |",
    `| date | ${date.slice(0, 10)} |`,
    `| machine | ${machine.processor}, ${plural(machine.cores, "core")}, ${machine.memoryGiB} GiB |`,
    `| system | ${machine.system} |`,
    `| versions | ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")} |`,
    `| duration | ${minutes.toFixed(0)} minutes |`,
    "",
  ];
}

function section(scenario: ScenarioResult): string[] {
  const { name, title, question, verdicts, skipped, problems } = scenario;
  const lines = [`## ${title}`, "", `\`--only ${name}\`: ${question}`, ""];
  for (const table of tablesOf(scenario)) lines.push(asMarkdown(table), "");
  lines.push(...list(verdicts.map(({ ok, text }) => `${ok ? "✓" : "✗"} ${text}`)));
  lines.push(...list(skipped.map(({ subject, reason }) => `Skipped: ${subjectTitles[subject]}, ${reason}.`)));
  lines.push(...list(problems.map((problem) => `Problem: ${problem}`)));
  return lines;
}

function list(items: readonly string[]): string[] {
  return items.length === 0 ? [] : [...items.map((item) => `- ${item}`), ""];
}

function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}
