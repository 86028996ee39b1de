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
    "The baselines are no part of the library's installation. C is compiled when there are a compiler and `zmq.h` (Debian:",
    "`gcc`, `libzmq3-dev`). `zeromq`, `@grpc/grpc-js` and NATS' client are installed on demand below `bench/baseline/` with",
    "npm; the first two run on Node, NATS needs its server (Debian: `nats-server`). What is missing is skipped, and the output",
    "says so.",
  ];
}

function howToRead(): string[] {
  return [
    "## How to read it",
    "",
    "- Absolute times are those of one machine on one day. Compare inside a table, best by the ratios: ours and the baseline",
    "  took turns within seconds. A ratio of 1.50 of a rate means half as fast again as the baseline; of a time, half as long",
    "  again.",
    "- Caller and callee are always two processes on one host, over TCP on 127.0.0.1 or over IPC (Unix domain sockets).",
    "  Bun → Deno is Bun calling Deno.",
    "- Every JavaScript program runs the same measuring loop: one promise per call, the clock read once per call, and the",
    "  size of each answer checked. C is a blocking program: a DEALER and a ROUTER that exchange the same three frames over one",
    "  connection; for messages without an answer a PUSH and a PULL.",
    "- The cost curves are over TCP alone: handlers, peers and calls in flight are tables and queues of the library's, above",
    "  either transport.",
    "- zeromesh runs with its defaults. The echo handler is a plain `unaryHandler`, the counting one an inline `amHandler`.",
    "- A call through NATS goes through a broker, gRPC and HTTP bring a protocol of their own: they do more, and are here because",
    "  they are what one would otherwise take.",
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
