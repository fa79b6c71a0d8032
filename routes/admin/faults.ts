/** What is wrong with a body, each fault at its place: as its schema and the reader of JSON say it. */
import type * as z from "zod";
import { formatPointer } from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";

/** Of two equal keys one would be lost silently; in an event to try things on, the last one counts. */
export const duplicateFaults = (pointers: readonly string[]): Fault[] =>
  pointers
    .filter((pointer) => !/^(\/cases\/\d+)?\/event\//.test(pointer))
    .map((pointer) => {
      return { pointer, code: "duplicate-key", detail: "This key stands twice in its object." };
    });

type Issue = z.ZodError["issues"][number];

/** Every fault of a body. Of a union's forms, the faults of the one that was meant, or all forms told as one. */
export const faultsOf = ({ issues }: z.ZodError): Fault[] => issuesAt([], issues);

const issuesAt = (base: readonly string[], issues: readonly Issue[]): Fault[] =>
  issues.flatMap((issue) => faultsAt([...base, ...issue.path.map(String)], issue));

function faultsAt(path: readonly string[], issue: Issue): Fault[] {
  const pointer = formatPointer(path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const detail = `"${key}" is not a member here.`;
      return { pointer: formatPointer([...path, key]), code: "unknown-member", detail };
    });
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const [meant, ...others] = issue.errors.filter((faults) => faults.every(isWithin));
    if (meant !== undefined && others.length === 0) return issuesAt(path, meant);
    const forms = issue.errors.map((faults) => faults.map((fault) => fault.message).join(", "));
    return [{ pointer, code: "no-form-fits", detail: `No form fits: ${forms.join("; or: ")}.` }];
  }
  if (isMissing(issue)) {
    return [{ pointer, code: "missing", detail: `${path.at(-1) ?? "The body"} is required.` }];
  }
  if (issue.code === "invalid_key") {
    const detail = issue.issues.map(({ message }) => message).join(", ");
    return [{ pointer, code: "invalid-key", detail: `Not a name here: ${detail}.` }];
  }
  const code = issue.code === "custom" ? String(issue.params?.code ?? "custom") : issue.code;
  return [{ pointer, code: code.replaceAll("_", "-"), detail: issue.message }];
}

const isMissing = (issue: Issue): boolean =>
  issue.code !== "custom" && "input" in issue && issue.input === undefined;

/** A form whose own members are all there, and no others, was meant: what is wrong is inside them. */
const isWithin = (issue: Issue): boolean =>
  issue.path.length > 1 || (issue.path.length === 1 && !isMissing(issue));
