/** What is loaded by whoever needs it first: a start does not pay for it. */

/** What `load` gave, the same for all; after a failure, whoever comes next tries again. */
export function onFirstUse<Value>(load: () => Promise<Value>): () => Promise<Value> {
  let loading: Promise<Value> | null = null;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = null;
      throw error;
    });
    return loading;
  };
}

type Method = (...given: never[]) => Promise<unknown>;

/** Methods of a port that is loaded with the first call of one of them. */
export function onFirstCall<Name extends string, Port extends Readonly<Record<Name, Method>>>(
  names: readonly Name[],
  load: () => Promise<Port>,
): Pick<Port, Name> {
  const loaded = onFirstUse(load);
  const methods = names.map((name): [Name, Method] => [
    name,
    async (...given) => (await loaded())[name](...given),
  ]);
  return Object.fromEntries(methods) as Pick<Port, Name>;
}
