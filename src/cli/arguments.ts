import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./command.ts";

/** Options of every command. */
export const commonOptions = {
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

/** Their description for `--help`. */
export const commonHelp =
  `  --json               print one JSON document; a failure is {"error": {"code", "message", …}}
  -h, --help           print this help`;

/** Whether a boolean option is among unparsed arguments. */
export function hasFlag(args: readonly string[], ...names: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end).some((arg) => names.includes(arg));
}

/** Parses the arguments of a command. @throws {UsageError} In words of this program, where Node's advise what is no help. */
export function parse<const T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; strict: true; allowPositionals: true }>> {
  try {
    return parseArgs({ args: withDashes(args), options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError(wrongOption(error as { readonly code?: string; readonly message: string }, options));
  }
}

/** What is wrong with an option, of which Node tells the name in its text alone. */
function wrongOption(
  { code, message }: { readonly code?: string; readonly message: string },
  options: NonNullable<ParseArgsConfig["options"]>,
): string {
  const [, name] = /'(-{0,2}[^\s'<,]+)/.exec(message) ?? [];
  if (name === undefined) return message;
  // One runtime leaves the dash of a short option out.
  const option = name.startsWith("-") ? name : `-${name}`;
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `there is no option ${option}; --help lists them all`;
  const wants = options[option.replace(/^-+/, "")]?.type;
  if (wants === "boolean") return `${option} takes no value`;
  return message.includes("ambiguous")
    ? `${option} needs a value; one that begins with "-" is written as ${option}=VALUE`
    : `${option} needs a value`;
}

/** Refuses arguments that the command does not have. */
export function noMore(more: readonly string[]): void {
  if (more.length > 0) throw new UsageError(`too many arguments: ${more.join(" ")}`);
}

/** Parses a number of an option. */
export function numberOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--${name} must be a positive number, got "${text}"`);
}

/** Protects values that begin with "-", keys of Z85 and numeric payloads, from being parsed as options. */
function withDashes(args: readonly string[]): string[] {
  const plain: string[] = [];
  const numbers: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") return [...plain, "--", ...numbers, ...args.slice(at + 1)];
    if (arg === "--server-key" && at + 1 < args.length) plain.push(`${arg}=${args[++at]}`);
    else if (/^-\d/.test(arg)) numbers.push(arg);
    else plain.push(arg);
  }
  return numbers.length === 0 ? plain : [...plain, "--", ...numbers];
}
