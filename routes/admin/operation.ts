/**
 * An admin operation: one entry of the table from which the routes, their validation and the OpenAPI
 * document are made.
 */
import type * as z from "zod";
import type { App } from "../../src/compose.ts";
import type { DeedTold } from "../../src/core/deed.ts";
import type { AddressPolicy } from "../../src/core/deliver/target-url.ts";
import type { Json } from "../../src/core/json.ts";
import type { Fault, Problem } from "../../src/core/problem.ts";
import type { AdminStores } from "../../src/ports/admin.ts";
import type { IfVersion, StoredResource } from "../../src/ports/config.ts";

export interface Call<Body, Query> extends Deployment {
  readonly app: App;
  readonly stores: AdminStores;
  readonly params: Readonly<Record<string, string>>;
  readonly body: Body;
  /** What the body was completed from; null where nothing was there. */
  readonly before: StoredResource | null;
  /** The body as it was sent: its numbers keep their spelling, which a schema's output may not. */
  readonly sent: Json;
  readonly query: Query;
  /** Who and why, as the headers say. */
  readonly told: DeedTold;
  /** What `If-Match` asks for. */
  readonly ifVersion: IfVersion;
  /** Runs on after the answer. */
  defer(work: Promise<unknown>): void;
}

export interface Reply {
  readonly status: number;
  readonly body?: Json;
  /** Sent as they are instead of a JSON body. */
  readonly raw?: { readonly body: BodyInit; readonly contentType: string };
  readonly version?: number;
  /** A path where what was begun can be watched. */
  readonly location?: string;
}

export interface Completed {
  readonly sent: Json;
  /** What was read for it. */
  readonly before: StoredResource | null;
}

/** A schema, or what makes one for a deployment. */
export type BodySchema<Body> = z.ZodType<Body> | ((deployment: Deployment) => z.ZodType<Body>);
export interface Deployment {
  /** What may be called from here; the host that was asked is among the router's own. */
  readonly addresses: AddressPolicy;
  /** The name by which receivers know this router. */
  readonly origin: string;
}

export interface OperationSpec<Body, Query> {
  readonly method: "get" | "put" | "post" | "delete";
  /** With `{name}` for each parameter. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodType<Query>;
  readonly body?: BodySchema<Body>;
  /** A body may be left out. */
  readonly bodyOptional?: boolean;
  /** Completes the body as sent before it is validated. */
  readonly complete?: (
    sent: Json,
    call: Omit<Call<never, never>, "body" | "query" | "before">,
  ) => Promise<Completed>;
  /** Faults that a schema cannot name; told together with the schema's own. */
  readonly faults?: (
    sent: Json,
    call: Omit<Call<never, never>, "body" | "query">,
  ) => Promise<Fault[]>;
  /** Whether it changes anything, and is written into the audit log: all but a get do that do not say otherwise. */
  readonly changes?: false | ((body: Body) => boolean);
  /** Left out: before it begins. Otherwise with what the store changes: all else that it does comes after that. */
  readonly recorded?: "with-change";
  /** Whether it takes If-Match: a put and a delete do, unless what they change has no version. */
  readonly versioned?: boolean;
  /** What it may answer, beside the problems that every operation of its kind has. */
  readonly responses: Readonly<Record<number, string>>;
  /** The body of every success; the bytes of a stranger, or nothing, have no schema. */
  readonly answer?: z.ZodType | "bytes";
  handle(call: Call<Body, Query>): Promise<Reply>;
}

export type Operation = OperationSpec<unknown, unknown>;

/** Checks an entry's types against its schemas, then forgets them so that all fit one table. */
export function operation<Body = undefined, Query = undefined>(
  spec: OperationSpec<Body, Query>,
): Operation {
  return spec as unknown as Operation;
}

/** `put /admin/tenants/{tenant}/rules/{rule}` is `putTenantsTenantRulesRule`: stable and unique. */
export const operationId = ({ method, path }: Operation): string =>
  method +
  path
    .split(/[^A-Za-z]+/)
    .slice(2)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

/** Whether it may change something. */
export const isDeed = ({ method, changes }: Operation): boolean =>
  method !== "get" && changes !== false;

/** Ends an operation with a problem; caught where operations are run, nowhere else. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.slug);
    this.problem = problem;
  }
}

/** What an operation began from was changed by another meanwhile: it begins anew. */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
}

export const notFound = (what: string): Refusal =>
  new Refusal({ slug: "not-found", detail: `There is no such ${what}.` });

export const invalid = (errors: readonly Fault[]): Refusal =>
  new Refusal({
    slug: "validation-failed",
    detail: `${errors.length === 1 ? "One fault" : `${errors.length} faults`}; nothing was saved.`,
    errors,
  });
