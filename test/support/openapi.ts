/** The served OpenAPI document as a list of operations, so that a test covers a new route by itself. */

export interface Documented {
  readonly method: string;
  /** With `{name}` for each parameter. */
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: object };
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
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
