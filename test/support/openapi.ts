/**
 * The served OpenAPI document as a list of operations, so that a test covers a new route by itself; and
 * as the judge of real answers.
 */
import * as z from "zod";

type Schema = Readonly<Record<string, unknown>>;

interface DocumentedAnswer {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface Documented {
  readonly method: string;
  /** With `{name}` for each parameter. */
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: object };
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly object[];
}

// biome-ignore lint/suspicious/noExplicitAny: the test of its shape is what this is for
export async function openApiDocument(origin: string): Promise<any> {
  return (await fetch(`${origin}/openapi.json`)).json();
}

/** Every operation of the document. */
export async function documentedOperations(origin: string): Promise<Documented[]> {
  const { paths } = await openApiDocument(origin);
  return Object.entries<Record<string, Omit<Documented, "method" | "path">>>(paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ ...operation, method, path })),
  );
}

/** Those under `/admin/`; throws when there are none, so that no test of all of them tests nothing. */
export async function adminOperations(origin: string): Promise<Documented[]> {
  const found = (await documentedOperations(origin)).filter(({ path }) =>
    path.startsWith("/admin/"),
  );
  if (found.length === 0) throw new Error("The document names no admin route.");
  return found;
}

export const namesIn = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");

/** The path with its parameters filled in; throws for one that `values` does not have. */
export const filled = (path: string, values: Readonly<Record<string, string>>): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`This test has no value for {${name}} of ${path}.`);
    return value;
  });

const isObject = (value: unknown): value is Schema => typeof value === "object" && value !== null;

/** The schema with its references filled in, and closed: a member that it does not name is a fault. */
function closed(value: unknown, document: object): unknown {
  if (Array.isArray(value)) return value.map((each) => closed(each, document));
  if (!isObject(value)) return value;
  const ref = value["$ref"];
  if (typeof ref === "string") return closed(referred(ref, document), document);
  const members = Object.entries(value).map(([key, member]) => [key, closed(member, document)]);
  const isOpen = "properties" in value && !("additionalProperties" in value);
  return { ...Object.fromEntries(members), ...(isOpen ? { additionalProperties: false } : {}) };
}

/** What a reference stands for; throws when the document does not hold it. */
export function referred(ref: string, document: object): unknown {
  const path = ref.replace(/^#\//, "").split("/");
  const held = path.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), document);
  if (held === undefined) throw new Error(`The document does not hold ${ref}.`);
  return held;
}

/**
 * What is wrong with an answer by the document: its status, its media type, or a member; empty when
 * the document says it all.
 */
export async function answerFaults(
  document: object,
  operation: Documented,
  response: Response,
): Promise<string[]> {
  const text = await response.text();
  const documented = operation.responses[response.status];
  if (documented === undefined) return [`status ${response.status} is not documented: ${text}`];
  const { content } = documented;
  if (content === undefined) return text === "" ? [] : [`a body is not documented: ${text}`];
  const mediaType = response.headers.get("content-type")?.split(";")[0] ?? "none";
  const documentedType = content[mediaType] ?? content["*/*"];
  if (documentedType === undefined) return [`${mediaType} is not documented`];
  if (!mediaType.endsWith("json") || documentedType.schema === undefined) return [];
  const schema = closed(documentedType.schema, document);
  const judge = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  const parsed = judge.safeParse(JSON.parse(text));
  return parsed.success ? [] : [`${z.prettifyError(parsed.error)} in ${text}`];
}
