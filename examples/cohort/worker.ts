/** Joins a cohort and counts primes for its leader until the cohort ends. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { joinCohort } from "zeromesh/cohort";
import { countPrimes } from "./contract.ts";

const help = `Joins the cohort of leader.ts and counts primes for it.

  --leader ENDPOINT   where the leader listens
  --help              this text`;

async function work(leader: string): Promise<void> {
  // The leader calls over the connection that this process opens, so it need not be able to dial a worker.
  await using messenger = await Messenger.create({ listen: false });
  messenger.handle(countPrimes, ({ input: { from, end } }) => {
    let primes = 0;
    for (let number = from; number < end; number++) if (isPrime(number)) primes++;
    return primes;
  });
  const place = await joinCohort(messenger, { leader });
  console.log(`joined as rank ${place.rank}`);
  console.log(`the end: ${await place.closed}`);
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return number > 1;
}

try {
  const { values } = parseArgs({
    options: { leader: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) console.log(help);
  else if (values.leader === undefined) throw new TypeError("--leader ENDPOINT is missing");
  else await work(values.leader);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
