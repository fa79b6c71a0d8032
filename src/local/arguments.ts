/** What a command is told on its line; what it does not know ends it with how it is used. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/** The exit status of a command that was used wrongly, as of shells and their builtins. */
const MISUSED = 2;

/** `--help` prints how the command is used, and ends it. */
export function readArguments<Config extends ParseArgsConfig>(usage: string, config: Config) {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    const isOfTheCaller =
      error instanceof TypeError && "code" in error && String(error.code).startsWith(PARSE_ERROR);
    if (!isOfTheCaller) throw error;
    return refuse(usage, error.message);
  }
}

const PARSE_ERROR = "ERR_PARSE_ARGS_";

/** Says what is wrong and how the command is used, and ends it. */
export function refuse(usage: string, why: string): never {
  console.error(`${why}\n${usage}`);
  process.exit(MISUSED);
}

/** A whole number, no less than `least`; `usual` when none is given. */
export function readCount(
  usage: string,
  name: string,
  given: string | undefined,
  { usual, least }: { readonly usual: number; readonly least: number },
): number {
  const count = given === undefined ? usual : Number(given);
  if (Number.isSafeInteger(count) && count >= least) return count;
  return refuse(usage, `--${name} is a whole number from ${least} on, such as ${usual}.`);
}
