/** A scenario's results as tables, for the terminal and for the page. */
import {
  baselines,
  type Metric,
  type Row,
  type ScenarioResult,
  type SubjectName,
  subjectTitles,
} from "./bench_result.ts";
import { allSubjects, grouped } from "./scenario.ts";

/** A table; its first columns are names, the others are numbers. */
export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Number of columns with names. */
  readonly names: number;
}

/** The tables of a scenario: its results, and the ratios of the library to the baselines. */
export function tablesOf(scenario: ScenarioResult): Table[] {
  const tables: Table[] = [];
  for (const metric of scenario.metrics) {
    if (scenario.rows.some((row) => row.metrics[metric.key] !== undefined)) {
      tables.push(figuresTable(scenario, metric));
    }
    if (scenario.rows.some((row) => row.ratios?.[metric.key] !== undefined)) {
      tables.push(ratiosTable(scenario, metric));
    }
  }
  return tables;
}

/** A table for a terminal. */
export function asText(table: Table): string {
  const widths = table.header.map((_, column) =>
    Math.max(...[table.header, ...table.rows].map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[]): string =>
    `  ${
      row.map((cell, column) =>
        column < table.names ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
      ).join("  ")
    }`.trimEnd();
  return [table.title, line(table.header), ...table.rows.map(line)].join("\n");
}

/** A table for a page. */
export function asMarkdown(table: Table): string {
  const rule = table.header.map((_, column) => column < table.names ? "---" : "--:");
  const lines = [table.header, rule, ...table.rows].map((row) => `| ${row.join(" | ")} |`);
  return [`**${table.title}**`, "", ...lines].join("\n");
}

/** A number with its significant digits. */
export function formatFigure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "";
  const size = Math.abs(value);
  if (size >= 100) return grouped(Number(value.toPrecision(size >= 10_000 ? 3 : 4)));
  return value.toFixed(size >= 10 ? 1 : 2);
}

function figuresTable(scenario: ScenarioResult, metric: Metric): Table {
  const present = allSubjects.filter((subject) =>
    scenario.rows.some((row) => row.subject === subject && row.metrics[metric.key] !== undefined)
  ).sort((a, b) => order(a) - order(b));
  const rows = linesOf(scenario.rows).map(([name, transport]) => [
    name,
    transport,
    ...present.map((subject) =>
      formatFigure(find(scenario.rows, name, transport, subject)?.metrics[metric.key]?.median)
    ),
  ]);
  const unit = metric.unit === "" ? "" : `, ${metric.unit}`;
  const header = ["", "transport", ...present.map((subject) => subjectTitles[subject])];
  const title = `${metric.title}${unit} (${metric.better} is better)`;
  return { title, header, rows: rows.filter((row) => row.slice(2).some((cell) => cell !== "")), names: 2 };
}

function ratiosTable(scenario: ScenarioResult, metric: Metric): Table {
  const compared = scenario.rows.filter((row) => row.ratios?.[metric.key] !== undefined);
  const others = baselines.filter((name) =>
    compared.some((row) => row.ratios?.[metric.key]?.[name] !== undefined)
  );
  const rows = linesOf(compared).flatMap(([name, transport]) =>
    compared.filter((row) => row.case === name && row.transport === transport)
      .sort((a, b) => order(a.subject) - order(b.subject))
      .map((row) => [
        name,
        transport,
        subjectTitles[row.subject],
        ...others.map((other) => formatRatio(row.ratios?.[metric.key]?.[other])),
      ])
  );
  const header = ["", "transport", "", ...others.map((other) => `÷ ${subjectTitles[other]}`)];
  const title = `${metric.title}, zeromesh divided by the baseline (${metric.better} is better)`;
  return { title, header, rows, names: 3 };
}

function formatRatio(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(value < 10 ? 2 : 1);
}

/** The library first, then C, then the others. */
function order(subject: SubjectName): number {
  return ["bun", "deno", "mixed", ...baselines].indexOf(subject);
}

function find(
  rows: readonly Row[],
  name: string,
  transport: string,
  subject: SubjectName,
): Row | undefined {
  return rows.find((row) => row.case === name && row.transport === transport && row.subject === subject);
}

/** Cases and transports, in the order of measurement. */
function linesOf(rows: readonly Row[]): [name: string, transport: string][] {
  const lines = new Map<string, [string, string]>();
  for (const row of rows) lines.set(`${row.case}\n${row.transport}`, [row.case, row.transport]);
  const cases = [...new Set(rows.map((row) => row.case))];
  const transports = ["tcp", "ipc"];
  return [...lines.values()].sort((a, b) =>
    cases.indexOf(a[0]) - cases.indexOf(b[0]) || transports.indexOf(a[1]) - transports.indexOf(b[1])
  );
}
