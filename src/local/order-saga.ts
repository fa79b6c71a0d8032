/** The saga of docs/sagas.md, as it stands there, with participants that are somewhere else. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.ts";

/** In the document each participant is a host of its own: `https://stock.example`. */
const HOST = /https:\/\/([a-z]+)\.example/g;

/** The first definition of the document; `https://stock.example/…` becomes `{origin}/stock/…`. */
export function readOrderSaga(origin: string): object {
  const text = readFileSync(join(ROOT, "docs/sagas.md"), "utf8");
  const [, json] = /^```json\n([\s\S]*?)^```$/m.exec(text) ?? [];
  if (json === undefined) throw new Error("docs/sagas.md has no definition");
  return JSON.parse(json.replaceAll(HOST, `${origin}/$1`));
}
