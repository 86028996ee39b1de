/** Distributes the parts of a task over the workers of a cohort. The part of a lost worker goes to another one. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { LeaderWorkerCohort } from "zeromesh/cohort";
import { countPrimes } from "./contract.ts";

const help = `Counts primes with workers: start as many of worker.ts as --workers says.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:0)
  --workers N           the workers that it waits for (3)
  --below N             count the primes below this number (5000000)
  --parts N             the number of parts (120)
  --help                this text`;

interface Plan {
  readonly workers: number;
  readonly below: number;
  readonly parts: number;
}

async function lead(endpoint: string, plan: Plan): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });
  await using cohort = LeaderWorkerCohort.create(messenger, {
    size: plan.workers,
    // The other workers go on without a lost one.
    failurePolicy: "continue",
  });
  void report(cohort);
  console.log(`listening on ${messenger.endpoint}`);
  console.log(`${await count(cohort, plan)} primes below ${plan.below}`);
}

async function count(cohort: LeaderWorkerCohort, { below, parts }: Plan): Promise<number> {
  const at = (part: number): number => Math.floor(part * below / parts);
  const ranges = Array.from({ length: parts }, (_, part) => ({ from: at(part), end: at(part + 1) }));
  await cohort.whenComplete({ timeoutMs: 60_000 });
  // A killed worker may have counted its part. Counting the part again does no harm.
  const retry = { attempts: 5, ran: "maybe" } as const;
  let primes = 0;
  for await (const part of cohort.distribute(countPrimes, ranges, { itemTimeoutMs: 10_000, retry })) {
    if (!part.ok) throw part.error;
    primes += part.value;
    if (part.attempts > 1) console.log(`part ${part.index} was sent ${part.attempts} times`);
    console.log(`${part.done} of ${parts} parts are done`);
  }
  return primes;
}

async function report(cohort: LeaderWorkerCohort): Promise<void> {
  for await (const status of cohort.status()) {
    if ("worker" in status) console.log(`rank ${status.worker.rank} ${status.type}`);
  }
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new RangeError(`--${name} is a whole number from 1 on, not ${JSON.stringify(text)}`);
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:0" },
      workers: { type: "string", default: "3" },
      below: { type: "string", default: "5000000" },
      parts: { type: "string", default: "120" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else {
    await lead(values.endpoint, {
      workers: wholeNumber("workers", values.workers),
      below: wholeNumber("below", values.below),
      parts: wholeNumber("parts", values.parts),
    });
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
