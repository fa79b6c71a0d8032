/** Input transformers, in EventBridge's form: what a target gets in place of the event's own bytes. */
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type Path,
  parsePath,
  stringifyJson,
  valueAt,
} from "../json.ts";
import type { Fault } from "../problem.ts";
import {
  TEMPLATE_CHARACTERS_MAX,
  TRANSFORMED_CHARACTERS_MAX,
  TRANSFORMER_PATHS_MAX,
} from "./limits.ts";
import {
  partsOf,
  readTemplate,
  type Template,
  type Text,
  textOf,
  variablesIn,
} from "./template.ts";

/** What becomes of a variable that the event has no value for; there is no silent way. */
export const ON_MISSING = ["refuse", "null", "omit"] as const;
export type OnMissing = (typeof ON_MISSING)[number];

export interface TransformerDoc {
  /** JSON paths into the event as patterns see it, by variable. */
  readonly paths?: Readonly<Record<string, string>> | undefined;
  readonly template: Json;
  readonly missing: OnMissing;
}

export interface Transformer {
  readonly paths: ReadonlyMap<string, Path>;
  readonly template: Template;
  readonly missing: OnMissing;
}

export type Transformed =
  | { readonly ok: true; readonly contentType: string; readonly body: string }
  /** Nothing is sent; for a person to read. */
  | { readonly ok: false; readonly reason: string };

/** Members of an event; the last three of some. */
const MEMBERS = new Set(
  "id tenant source type subject time receivedAt headers data cloudevent dataOmitted elementOf".split(
    " ",
  ),
);

/** Known without a path; also under the names that EventBridge has for them. */
const RESERVED: ReadonlyMap<string, Path> = new Map([
  ["event", []],
  ["aws.events.event", []],
  ["aws.events.event.json", []],
  ["aws.events.event.ingestion-time", ["receivedAt"]],
]);

const NAME = /^[A-Za-z][\w.-]{0,63}$/;

/** Faults of a transformer that has the shape of one, at `pointer`. */
export function transformerFaults(
  { paths = {}, template }: TransformerDoc,
  pointer: string,
): Fault[] {
  const faults: Fault[] = [];
  const fail = (at: string, code: string, detail: string): void => {
    faults.push({ pointer: `${pointer}${at}`, code, detail });
  };
  const names = Object.keys(paths);
  if (names.length > TRANSFORMER_PATHS_MAX) {
    fail(
      "/paths",
      "too-many-paths",
      `${names.length} variables; ${TRANSFORMER_PATHS_MAX} at most.`,
    );
  }
  const characters = stringifyJson(template).length;
  if (characters > TEMPLATE_CHARACTERS_MAX) {
    fail(
      "/template",
      "too-long",
      `A template has ${TEMPLATE_CHARACTERS_MAX} characters at most; this one has ${characters}.`,
    );
    return faults;
  }
  const used = variablesIn(readTemplate(template));
  for (const [name, written] of Object.entries(paths)) {
    const at = `/paths/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (!NAME.test(name))
      fail(at, "bad-name", `"${name}" names no variable: a letter, then letters, digits, - and _.`);
    if (RESERVED.has(name)) fail(at, "reserved-name", `<${name}> is known without a path.`);
    const [first] = parsePath(written) ?? [];
    if (first === undefined)
      fail(at, "bad-path", `"${written}" is no path; write "$.data.order.id".`);
    else if (!MEMBERS.has(String(first))) {
      fail(
        at,
        "bad-path",
        `An event has no member "${first}"; it has ${[...MEMBERS].slice(0, 9).join(", ")}. The body is under $.data.`,
      );
    }
    if (!used.has(name)) fail(at, "unused-variable", `The template has no <${name}>.`);
  }
  for (const name of used) {
    if (Object.hasOwn(paths, name) || RESERVED.has(name)) continue;
    const detail = `<${name}> has no path; add "${name}": "$.data.…" to paths, or write \\< for the sign itself.`;
    fail("/template", "unknown-variable", detail);
  }
  return faults;
}

/** Of one without faults. */
export const compileTransformer = ({
  paths = {},
  template,
  missing,
}: TransformerDoc): Transformer => ({
  paths: new Map([
    ...RESERVED,
    ...Object.entries(paths).map(([name, path]) => [name, parsePath(path) ?? []] as const),
  ]),
  template: readTemplate(template),
  missing,
});

class Refused extends Error {}

/** What is left out together with what it stands in. */
const OMITTED = Symbol("omitted");

/** The body made of `event`; the same event always gives the same bytes. */
export function transform({ paths, template, missing }: Transformer, event: Json): Transformed {
  const variable = (name: string): Json | typeof OMITTED => {
    const value = valueAt(event, paths.get(name) ?? []);
    if (value !== undefined) return value;
    if (missing === "refuse") throw new Refused(`the event has no value for <${name}>`);
    return missing === "null" ? null : OMITTED;
  };
  let left = TRANSFORMED_CHARACTERS_MAX;
  /** A small template may ask for a large value many times. */
  const spend = (characters: number): void => {
    left -= characters;
    if (left < 0)
      throw new Refused(`the result has more than ${TRANSFORMED_CHARACTERS_MAX} characters`);
  };
  const join = (text: Text): string =>
    text
      .map((part) => {
        const value = typeof part === "string" ? part : variable(part.name);
        const said = value === OMITTED ? "" : textOf(value);
        spend(said.length);
        return said;
      })
      .join("");
  const fill = (value: Json): Json | typeof OMITTED => {
    if (typeof value === "string") {
      const parts = partsOf(value);
      const [only] = parts;
      if (parts.length !== 1 || only === undefined || typeof only === "string") return join(parts);
      const found = variable(only.name);
      if (found !== OMITTED) spend(stringifyJson(found).length);
      return found;
    }
    if (isJsonArray(value)) return value.map(fill).filter((each) => each !== OMITTED);
    if (!isJsonObject(value)) return value;
    const members = Object.entries(value).map(([key, member]) => [key, fill(member)] as const);
    return Object.fromEntries(members.filter(([, member]) => member !== OMITTED)) as Json;
  };
  try {
    if (template.kind === "text") {
      return { ok: true, contentType: "text/plain; charset=utf-8", body: join(template.text) };
    }
    const filled = fill(template.value);
    return {
      ok: true,
      contentType: "application/json",
      body: stringifyJson(filled === OMITTED ? null : filled),
    };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.message };
    throw error;
  }
}
