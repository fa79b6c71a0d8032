/** What a rule says of the list that it is fanned out over. */
import { mediaType } from "../ingest/media-type.ts";
import { type Path, parsePath } from "../json.ts";
import type { Fault } from "../problem.ts";

/** A JSON path into the event, or one with the pace at which its elements are sent. */
export type ForEachDoc =
  | string
  | { readonly path: string; readonly perSecond?: number | undefined };

export interface ForEach {
  readonly path: Path;
  readonly written: string;
  /** Null: as fast as its queue is worked on. */
  readonly perSecond: number | null;
}

/** What is wrong with it; the schema has seen its shape. */
export function forEachFaults(doc: ForEachDoc): Fault[] {
  const written = typeof doc === "string" ? doc : doc.path;
  if (parsePath(written)?.[0] === "data") return [];
  const pointer = typeof doc === "string" ? "/forEach" : "/forEach/path";
  const detail = `"${written}" is no path into the body; write "$.data.recipients".`;
  return [{ pointer, code: "bad-path", detail }];
}

/** Of one without faults. */
export function compileForEach(doc: ForEachDoc): ForEach {
  const { path, perSecond = null } = typeof doc === "string" ? { path: doc } : doc;
  // A document is read with exact numbers.
  return {
    path: parsePath(path) ?? [],
    written: path,
    perSecond: perSecond === null ? null : Number(perSecond),
  };
}

/** The path in the sender's own bytes: a CloudEvent in structured mode has the data as a member. */
export const pathInBody = ({ path }: ForEach, contentType: string | null): Path =>
  mediaType(contentType) === "application/cloudevents+json" ? path : path.slice(1);
