/** Runs a scenario: all subjects in turn, in several rounds, and takes the medians. */
import {
  baselines,
  isOurs,
  median,
  type Metric,
  type Row,
  type ScenarioResult,
  type Skipped,
  type SubjectName,
  subjectTitles,
  type TransportName,
} from "./bench_result.ts";
import { Unavailable } from "./preparation.ts";
import type { Measurement, Scenario } from "./scenario.ts";
import type { Settings } from "./settings.ts";
import { subjects } from "./subjects.ts";

/** A subject on a transport. */
interface Entry {
  readonly subject: SubjectName;
  readonly transport: TransportName;
  readonly measurements: Measurement[];
  failures: number;
}

// A subject with this many failures is left out of the remaining rounds.
const mostFailures = 2;

/** Runs a scenario; failures of a subject become problems in the result. */
export async function runScenario(
  scenario: Scenario,
  settings: Settings,
  progress: (text: string) => void,
): Promise<ScenarioResult> {
  const start = performance.now();
  const skipped: Skipped[] = [];
  const problems: string[] = [];
  const entries = entriesOf(scenario, settings, skipped);
  for (let round = 0; round < settings.rounds; round++) {
    // Every other round is reversed, so that drift affects all subjects alike.
    for (const entry of round % 2 === 0 ? entries : entries.toReversed()) {
      if (entry.failures >= mostFailures || skipped.some((one) => one.subject === entry.subject)) continue;
      const what = `${subjectTitles[entry.subject]} over ${entry.transport}`;
      progress(`${scenario.name}, round ${round + 1} of ${settings.rounds}: ${what}`);
      try {
        const found = await scenario.run(settings, entry.subject, entry.transport);
        entry.measurements.push(...found);
        for (const one of found) problems.push(...(one.problems ?? []).map((text) => `${what}: ${text}`));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (error instanceof Unavailable) {
          skipped.push({ subject: entry.subject, reason: message });
        } else {
          entry.failures++;
          problems.push(`${what}, round ${round + 1}: ${message}`);
        }
      }
    }
  }
  const rows = withRatios(entries.flatMap((entry) => rowsOf(entry, scenario.metrics)), scenario.metrics);
  const { name, title, question, metrics } = scenario;
  const verdicts = scenario.judge?.(rows) ?? [];
  const tookSeconds = Math.round((performance.now() - start) / 1000);
  return { name, title, question, metrics, rows, skipped, problems, verdicts, tookSeconds };
}

function entriesOf(scenario: Scenario, settings: Settings, skipped: Skipped[]): Entry[] {
  const entries: Entry[] = [];
  for (const subject of scenario.subjects) {
    if (!settings.subjects.has(subject)) continue;
    const reason = subjects[subject].lacks(scenario.work) ?? scenario.lacks?.(subject) ?? null;
    if (reason !== null) {
      skipped.push({ subject, reason });
      continue;
    }
    for (const transport of scenario.transports) {
      if (!subjects[subject].transports.includes(transport)) continue;
      entries.push({ subject, transport, measurements: [], failures: 0 });
    }
  }
  // TCP first: compared subjects are measured close together.
  return entries.sort((a, b) =>
    scenario.transports.indexOf(a.transport) - scenario.transports.indexOf(b.transport)
  );
}

function rowsOf(entry: Entry, metrics: readonly Metric[]): Row[] {
  const cases = new Map<string, Measurement[]>();
  for (const one of entry.measurements) cases.set(one.case, [...cases.get(one.case) ?? [], one]);
  return [...cases].map(([name, all]) => {
    const x = all[0]?.x;
    const series = metrics.flatMap(({ key }) => {
      const rounds = all.flatMap((one) => one.values[key] ?? []).map(significant);
      return rounds.length === 0 ? [] : [[key, { median: median(rounds), rounds }] as const];
    });
    return {
      case: name,
      ...(x === undefined ? {} : { x }),
      transport: entry.transport,
      subject: entry.subject,
      metrics: Object.fromEntries(series),
    };
  });
}

function withRatios(rows: readonly Row[], metrics: readonly Metric[]): Row[] {
  return rows.map((row) => {
    if (!isOurs(row.subject)) return row;
    const ratios: Record<string, Partial<Record<SubjectName, number>>> = {};
    for (const { key, compared } of metrics) {
      const mine = row.metrics[key]?.median;
      if (!compared || mine === undefined) continue;
      const quotients: Partial<Record<SubjectName, number>> = {};
      for (const baseline of baselines) {
        const other = rows.find((one) =>
          one.subject === baseline && one.case === row.case && one.transport === row.transport
        );
        const theirs = other?.metrics[key]?.median;
        if (theirs !== undefined && theirs > 0) quotients[baseline] = Number((mine / theirs).toFixed(3));
      }
      if (Object.keys(quotients).length > 0) ratios[key] = quotients;
    }
    return Object.keys(ratios).length === 0 ? row : { ...row, ratios };
  });
}

function significant(value: number): number {
  return Number(value.toPrecision(5));
}
