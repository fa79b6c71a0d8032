/** The OpenAPI 3.1 document, made from the table of operations and their schemas. */
import * as z from "zod";
import { PROBLEMS } from "../../src/core/problem.ts";
import { VERSION } from "../../src/core/version.ts";
import type { Operation } from "./operation.ts";
import { targetBody } from "./schemas.ts";

/** JSON Schema of what is sent, in the dialect of OpenAPI 3.1. */
const schemaOf = (schema: z.ZodType): object => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
};

export function openApiDocument(operations: readonly Operation[], origin: string): object {
  const paths: Record<string, Record<string, object>> = { ...ingestPath() };
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Signalbox",
      version: VERSION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: origin }],
    paths,
    components: {
      securitySchemes: { adminToken: { type: "http", scheme: "bearer" } },
      schemas: { Problem: PROBLEM },
    },
  };
}

function describe(operation: Operation): object {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  const query = operation.query === undefined ? [] : queryParameters(operation.query);
  // The address rule depends on the deployment; the schema is that of production.
  const body = typeof operation.body === "function" ? targetBody(false) : operation.body;
  return {
    operationId: operationId(operation),
    summary: operation.summary,
    security: [{ adminToken: [] }],
    parameters: [
      ...names.map((name) => ({
        name,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      ...query,
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: operation.bodyOptional !== true,
            content: { "application/json": { schema: schemaOf(body as z.ZodType) } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, description]) => [
          status,
          Number(status) < 400 ? { description } : problem(description),
        ]),
      ),
      401: problem(PROBLEMS.unauthenticated.title),
      503: problem(PROBLEMS["admin-closed"].title),
    },
  };
}

function queryParameters(schema: z.ZodType): object[] {
  const { properties = {} } = schemaOf(schema) as { properties?: Record<string, object> };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: "query",
    required: false,
    schema: property,
  }));
}

/** `put /admin/tenants/{tenant}/rules/{rule}` is `putTenantsTenantRulesRule`: stable and unique. */
const operationId = ({ method, path }: Operation): string =>
  method +
  path
    .split(/[^A-Za-z]+/)
    .slice(2)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

const problem = (description: string): object => ({
  description,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
});

const PROBLEM = {
  type: "object",
  required: ["type", "title", "status", "detail", "instance"],
  properties: {
    type: {
      type: "string",
      format: "uri",
      description: `One of ${Object.keys(PROBLEMS).join(", ")}, under /problems/.`,
    },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string" },
    retryAfterMs: { type: "number" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["pointer", "code", "detail"],
        properties: {
          pointer: { type: "string" },
          code: { type: "string" },
          detail: { type: "string" },
        },
      },
    },
  },
};

const ACCEPTED = {
  type: "object",
  required: ["id", "receipt", "deliveries", "priorities"],
  properties: {
    id: { type: "string" },
    receipt: { type: "string" },
    deliveries: { type: "integer" },
    priorities: { type: "array", items: { enum: ["critical", "normal", "bulk"] } },
  },
};

const ingestPath = () => ({
  "/in/{tenant}/{source}": {
    post: {
      operationId: "ingest",
      summary: "Takes a webhook, a CloudEvent, or a batch of CloudEvents.",
      parameters: ["tenant", "source"].map((name) => ({
        name,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      requestBody: { content: { "*/*": {} } },
      responses: {
        202: {
          description: "Accepted and durable.",
          content: {
            "application/json": {
              schema: {
                anyOf: [
                  ACCEPTED,
                  { type: "object", properties: { events: { type: "array", items: ACCEPTED } } },
                ],
              },
            },
          },
        },
        200: { description: "The answer to Slack's url_verification." },
        ...Object.fromEntries(
          (
            [
              "malformed-request",
              "signature-invalid",
              "source-unknown",
              "method-not-allowed",
              "payload-too-large",
              "unsupported-media-type",
              "cloudevent-invalid",
              "rate-limited",
              "unavailable",
            ] as const
          ).map((slug) => [PROBLEMS[slug].status, problem(PROBLEMS[slug].title)]),
        ),
      },
    },
  },
});
