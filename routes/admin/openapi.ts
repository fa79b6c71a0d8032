/** The OpenAPI 3.1 document, made from the table of operations and their schemas. */
import * as z from "zod";
import { PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import { PROBLEMS, type ProblemSlug } from "../../src/core/problem.ts";
import { VERSION } from "../../src/core/version.ts";
import { deedHeaders } from "./deed.ts";
import { isDeed, type Operation, operationId } from "./operation.ts";
import { CallbackBody } from "./saga-instance-schemas.ts";
import { Accepted, Count, Time } from "./schemas.ts";

/** JSON Schema in the dialect of OpenAPI 3.1; what has an id stands once, in `named`. */
function schemaOf(schema: z.ZodType, named: Record<string, object>): object {
  const { $schema, $defs, ...own } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
  });
  Object.assign(named, $defs);
  return own;
}

export function openApiDocument(operations: readonly Operation[], origin: string): object {
  const schemas: Record<string, object> = {};
  const paths: Record<string, Record<string, object>> = { ...otherPaths(schemas) };
  for (const operation of operations) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: describe(operation, schemas),
    };
  }
  const document = {
    openapi: "3.1.0",
    info: {
      title: "Signalbox",
      version: VERSION,
      description:
        "Answers may gain members; what is here stays. Clients switch on a problem's type.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: origin }],
    paths,
    components: { securitySchemes: { adminToken: { type: "http", scheme: "bearer" } }, schemas },
  };
  return JSON.parse(JSON.stringify(document).replaceAll("#/$defs/", "#/components/schemas/"));
}

function describe(operation: Operation, named: Record<string, object>): object {
  const { answer, bodyOptional, method, path, summary } = operation;
  // The address rule depends on the deployment; the schema is that of production.
  const body =
    typeof operation.body === "function"
      ? operation.body({ addresses: PUBLIC_ONLY, origin: "" })
      : operation.body;
  const written = operation.versioned ?? (method === "put" || method === "delete");
  const problems: ProblemSlug[] = [
    ...(operation.query === undefined ? [] : (["malformed-request"] as const)),
    ...(body === undefined
      ? []
      : (["malformed-request", "payload-too-large", "validation-failed"] as const)),
    ...(written ? (["precondition-failed"] as const) : []),
    "unauthenticated",
    "admin-closed",
  ];
  return {
    operationId: operationId(operation),
    summary,
    security: [{ adminToken: [] }],
    parameters: [
      ...inPath(path),
      ...(operation.query === undefined ? [] : queryParameters(operation.query, named)),
      ...(written ? [{ name: "If-Match", in: "header", schema: { type: "string" } }] : []),
      ...(isDeed(operation) ? deedHeaders : []),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: bodyOptional !== true, content: json(body, named) } }),
    responses: {
      ...problemResponses(problems, named),
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, description]) => {
          if (Number(status) >= 400) return [status, problem(description, named)];
          if (answer === undefined) return [status, { description }];
          return [
            status,
            { description, content: answer === "bytes" ? { "*/*": {} } : json(answer, named) },
          ];
        }),
      ),
    },
  };
}

const json = (schema: z.ZodType, named: Record<string, object>): object => ({
  "application/json": { schema: schemaOf(schema, named) },
});

const inPath = (path: string): object[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    return { name, in: "path", required: true, schema: { type: "string" } };
  });

function queryParameters(schema: z.ZodType, named: Record<string, object>): object[] {
  const { properties = {} } = schemaOf(schema, named) as { properties?: Record<string, object> };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: "query",
    required: false,
    schema: property,
  }));
}

const problem = (description: string, named: Record<string, object>): object => ({
  description,
  content: { "application/problem+json": { schema: schemaOf(ProblemAnswer, named) } },
});

const problemResponses = (slugs: readonly ProblemSlug[], named: Record<string, object>) =>
  Object.fromEntries(
    slugs.map((slug) => [PROBLEMS[slug].status, problem(PROBLEMS[slug].title, named)]),
  );

/** As `problemBody` makes it; the last members belong to one type or two, whose page says when. */
const ProblemAnswer = z
  .object({
    type: z.string().describe(`One of ${Object.keys(PROBLEMS).join(", ")}, under /problems/.`),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    retryAfterMs: z.number().optional(),
    errors: z
      .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
      .optional(),
    reason: z.enum(["missing-header", "timestamp-old", "timestamp-new", "no-match"]).optional(),
    scope: z.enum(["tenant", "source"]).optional(),
    bytesMax: Count.optional(),
    eventsMax: Count.optional(),
    etag: z.string().optional(),
    expiredAt: Time.optional(),
    rulesMax: Count.optional(),
    rev: Count.optional(),
    count: Count.optional(),
    job: z.string().optional(),
  })
  .meta({ id: "Problem" });

const INGEST = "/in/{tenant}/{source}";
const INGEST_PROBLEMS = [
  "malformed-request",
  "signature-invalid",
  "source-unknown",
  "method-not-allowed",
  "payload-too-large",
  "unsupported-media-type",
  "cloudevent-invalid",
  "rate-limited",
  "unavailable",
] as const;

const CALLBACK = "/callbacks/{address}";
const CALLBACK_PROBLEMS = [
  "malformed-request",
  "callback-unknown",
  "method-not-allowed",
  "callback-stale",
  "callback-expired",
  "payload-too-large",
  "validation-failed",
  "unavailable",
] as const;

const otherPaths = (named: Record<string, object>) => ({
  "/healthz": {
    get: {
      operationId: "health",
      summary: "Whether the router answers.",
      parameters: [],
      responses: {
        200: {
          description: "It does.",
          content: json(z.object({ status: z.literal("ok"), version: z.string() }), named),
        },
      },
    },
  },
  [INGEST]: {
    post: {
      operationId: "ingest",
      summary: "Takes a webhook, a CloudEvent, or a batch of CloudEvents.",
      parameters: inPath(INGEST),
      requestBody: { content: { "*/*": {} } },
      responses: {
        200: {
          description: "The answer to Slack's url_verification.",
          content: { "text/plain": { schema: { type: "string" } } },
        },
        202: {
          description: "Accepted and durable; a batch is answered in its order.",
          content: json(z.union([Accepted, z.object({ events: z.array(Accepted) })]), named),
        },
        ...problemResponses(INGEST_PROBLEMS, named),
      },
    },
  },
  [CALLBACK]: {
    post: {
      operationId: "callback",
      summary:
        "Takes the outcome of a saga's step that was answered with 202; once, however often.",
      parameters: inPath(CALLBACK),
      requestBody: { required: true, content: json(CallbackBody, named) },
      responses: {
        200: {
          description: "Taken, now or before.",
          content: json(z.object({ instance: z.string(), step: z.string() }), named),
        },
        ...problemResponses(CALLBACK_PROBLEMS, named),
      },
    },
  },
});
