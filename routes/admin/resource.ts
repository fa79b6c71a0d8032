/** The four operations that sources, targets and rules have alike: list, read, put, delete. */
import type * as z from "zod";
import type { App } from "../../src/compose.ts";
import { type Json, parseJsonDocument, stringifyJson } from "../../src/core/json.ts";
import type { ResourceKind, Secrets } from "../../src/core/resources.ts";
import type { ShadowMatches } from "../../src/core/shadow.ts";
import { type IfVersion, NO_VERSION, type StoredResource } from "../../src/ports/config.ts";
import { DAMAGED } from "../../src/ports/vault.ts";
import { announce, iso, requireTenant, written } from "./change.ts";
import {
  type BodySchema,
  type Call,
  notFound,
  type Operation,
  Overtaken,
  operation,
} from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { Slug } from "./schemas.ts";
import { requireSlug } from "./slug.ts";

export interface ResourceSpec<Body> {
  readonly kind: ResourceKind;
  /** What is answered: the body that was PUT, as far as it may be read, and what `show` adds. */
  readonly answer: z.ZodType;
  readonly body: BodySchema<Body>;
  /** Why a PUT may be refused beyond what all have in common, by status. */
  readonly refusals?: Readonly<Record<number, string>>;
  /** Completes the body as sent from what is stored, before it is validated. */
  readonly complete?: (sent: Json, stored: StoredResource | null) => Json;
  /** Faults that a schema cannot name. */
  readonly faults?: NonNullable<Operation["faults"]>;
  /** The split into what may be read and what is sealed; what the body leaves out is kept of `call.before`. */
  readonly store: (
    call: Call<Body, undefined>,
  ) => Promise<{ doc: Json; secrets: Secrets | null | undefined }>;
  /** What a PUT sets going, once every isolate is told of it. */
  readonly afterPut?: (call: Call<Body, undefined>) => Promise<void>;
  /** What a read shows beyond the stored document. */
  readonly show?: (
    doc: Record<string, Json>,
    stored: StoredResource,
    counted: Counted,
  ) => Promise<Json>;
}

/** What an answer knows beside what is stored: what the limiter was told is asked for once, null without its answer. */
export interface Counted {
  /** When it was asked for. */
  readonly nowMs: number;
  secretsLastUsed(): Promise<Readonly<Record<string, number>> | null>;
  shadowMatches(): Promise<readonly ShadowMatches[] | null>;
}

function countedOf({ deliver: { clock, limiter } }: App, tenant: string): Counted {
  return {
    nowMs: clock.nowMs(),
    secretsLastUsed: once(() => limiter.secretsLastUsed(tenant)),
    shadowMatches: once(() => limiter.shadowMatches(tenant)),
  };
}

function once<T>(ask: () => Promise<T>): () => Promise<T | null> {
  let answer: Promise<T | null> | undefined;
  return () => {
    answer ??= ask().catch(() => null);
    return answer;
  };
}

/**
 * What a PUT may replace whose secrets are those of `before`: that, and nothing that another wrote meanwhile.
 * What has to be there and is not will not do when it comes.
 */
function basisOf(before: StoredResource | null, ifVersion: IfVersion): number | "none" {
  if (typeof ifVersion === "number") return ifVersion;
  return before?.version ?? (ifVersion === "any" ? NO_VERSION : "none");
}

const lockedView = (key: string): Json => ({
  key,
  detail:
    key === DAMAGED
      ? "Its secrets are damaged and cannot be opened: send them anew."
      : `Its secrets are sealed under key ${key}: put that into ENCRYPTION_KEYS_OLD, or send them anew.`,
});

export function resourceOperations<Body>(spec: ResourceSpec<Body>): readonly Operation[] {
  const { kind, answer } = spec;
  const list = `/admin/tenants/{tenant}/${kind}s`;
  const path = `${list}/{${kind}}`;

  async function view(stored: StoredResource, counted: Counted): Promise<Json> {
    const read = parseJsonDocument(stored.doc);
    const doc = (read.ok ? read.value : {}) as Record<string, Json>;
    return {
      id: stored.id,
      ...(((await spec.show?.(doc, stored, counted)) ?? doc) as Record<string, Json>),
      ...(stored.lockedBy === null ? {} : { locked: lockedView(stored.lockedBy) }),
      version: stored.version,
      createdAt: iso(stored.createdAtMs),
      updatedAt: iso(stored.updatedAtMs),
    };
  }

  return [
    operation({
      method: "get",
      path: list,
      summary: `Lists the tenant's ${kind}s by name.`,
      query: PageQuery,
      responses: { 200: `A page of ${kind}s.`, 404: "No such tenant." },
      answer: pageOf(answer),
      async handle({ app, stores, params, query }) {
        const tenant = params.tenant ?? "";
        await requireTenant(stores.config, tenant);
        const after = String(decodeCursor(query.cursor, ["string"])?.[0] ?? "");
        const page = await stores.config.resources(tenant, kind, after, query.limit);
        const counted = countedOf(app, tenant);
        const items = await Promise.all(page.items.map((item) => view(item, counted)));
        const cursor = encodeCursor(page.after === null ? null : [page.after]);
        return { status: 200, body: pageBody(items, cursor) };
      },
    }),
    operation({
      method: "get",
      path,
      summary: `Reads a ${kind}; secrets are never shown.`,
      responses: { 200: `The ${kind}.`, 404: `No such ${kind}.` },
      answer,
      async handle({ app, stores, params }) {
        const tenant = params.tenant ?? "";
        const stored = await stores.config.resource(tenant, kind, params[kind] ?? "");
        if (stored === null) throw notFound(kind);
        const body = await view(stored, countedOf(app, tenant));
        return { status: 200, body, version: stored.version };
      },
    }),
    operation({
      method: "put",
      path,
      recorded: "with-change",
      summary: `Creates or replaces a ${kind}.`,
      body: spec.body,
      ...(spec.faults === undefined ? {} : { faults: spec.faults }),
      ...(spec.complete === undefined
        ? {}
        : {
            async complete(sent, { stores, params }) {
              const id = params[kind] ?? "";
              const before = await stores.config.resource(params.tenant ?? "", kind, id);
              return { sent: spec.complete?.(sent, before) ?? sent, before };
            },
          }),
      responses: {
        ...{ 200: "Replaced.", 201: "Created.", 404: "No such tenant." },
        ...spec.refusals,
      },
      answer,
      async handle(call) {
        const { app, stores, params, before, ifVersion } = call;
        const tenant = params.tenant ?? "";
        const id = requireSlug(Slug, params, kind);
        await requireTenant(stores.config, tenant);
        const { doc, secrets } = await spec.store(call);
        const value = { doc: stringifyJson(doc), secrets };
        const basis = spec.complete === undefined ? ifVersion : basisOf(before, ifVersion);
        const put = await stores.config.putResource(tenant, kind, id, value, basis);
        const isOvertaken = basis !== ifVersion && basis !== NO_VERSION;
        if (isOvertaken && put.kind === "version-differs") throw new Overtaken();
        const result = written(put, kind);
        await announce(call, tenant, result.revision);
        await spec.afterPut?.(call);
        const stored = await stores.config.resource(tenant, kind, id);
        if (stored === null) throw notFound(kind);
        const status = result.created ? 201 : 200;
        const body = await view(stored, countedOf(app, tenant));
        return { status, body, version: stored.version };
      },
    }),
    operation({
      method: "delete",
      path,
      recorded: "with-change",
      summary: `Deletes a ${kind}.`,
      responses: { 204: "Deleted.", 404: `No such ${kind}.` },
      async handle(call) {
        const { stores, params, ifVersion } = call;
        const tenant = params.tenant ?? "";
        const id = params[kind] ?? "";
        const result = await stores.config.deleteResource(tenant, kind, id, ifVersion);
        await announce(call, tenant, written(result, kind).revision);
        return { status: 204 };
      },
    }),
  ];
}
