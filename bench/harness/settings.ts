import { baselines, ours, type SubjectName } from "./bench_result.ts";

/** Settings of a benchmark run. */
export interface Settings {
  /** Repetitions of each measurement. */
  readonly rounds: number;
  /** Duration of a measured case, in milliseconds. */
  readonly ms: number;
  /** Duration of a case's warm-up, in milliseconds. */
  readonly warmMs: number;
  /** Fewer and shorter cases, to test that all of them work. */
  readonly quick: boolean;
  /** The measured subjects. */
  readonly subjects: ReadonlySet<SubjectName>;
  /** A temporary folder of this run, for sockets. */
  readonly folder: string;
}

/**
 * Reads a list of names.
 *
 * @throws {RangeError} If a name is unknown.
 */
export function namesIn<Name extends string>(
  option: string,
  text: string,
  known: readonly Name[],
): Name[] {
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  for (const name of names) {
    if (!(known as readonly string[]).includes(name)) {
      throw new RangeError(`--${option} knows ${known.join(", ")}, not ${JSON.stringify(name)}`);
    }
  }
  return names as Name[];
}

/** Settings from the command line's options. */
export function settingsFrom(options: {
  rounds?: string | undefined;
  ms?: string | undefined;
  quick: boolean;
  runtimes: string;
  baselines: string;
  folder: string;
}): Settings {
  const { quick, folder } = options;
  const rounds = wholeNumber("rounds", options.rounds ?? (quick ? "1" : "5"), 99);
  const ms = wholeNumber("ms", options.ms ?? (quick ? "200" : "1000"), 60_000);
  const compared = options.baselines === "none" ? [] : namesIn("baselines", options.baselines, baselines);
  return {
    rounds,
    quick,
    folder,
    ms,
    warmMs: quick ? 150 : 300,
    subjects: new Set<SubjectName>([...namesIn("runtimes", options.runtimes, ours), ...compared]),
  };
}

function wholeNumber(name: string, text: string, most: number): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new RangeError(`--${name} is a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
}
