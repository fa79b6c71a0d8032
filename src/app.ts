/** The HTTP surface: which door a path leads to, and how every failure is answered. */
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { handleIngest } from "../routes/ingest.ts";
import { problemResponse } from "../routes/problems.ts";
import { type App, compose } from "./compose.ts";
import { Retryable } from "./core/errors.ts";
import { PROBLEMS, type ProblemSlug } from "./core/problem.ts";
import { VERSION } from "./core/version.ts";
import type { Env } from "./env.ts";
import { errorText } from "./ports/log.ts";

type Bound = { Bindings: Env };

export function createApp(): Hono<Bound> {
  const app = new Hono<Bound>();

  // What no webhook needs is loaded on first use: the start does not pay for it.
  app.all(
    "/healthz",
    read((context) => context.json({ status: "ok", version: VERSION })),
  );
  app.all(
    "/",
    read(async (context) => {
      const { homePage } = await import("../routes/pages.ts");
      return context.html(homePage());
    }),
  );
  app.all(
    "/problems/:slug",
    read(async (context) => {
      const slug = context.req.param("slug") ?? "";
      if (!Object.hasOwn(PROBLEMS, slug)) return notFound(context);
      const { problemPage } = await import("../routes/pages.ts");
      return context.html(problemPage(slug as ProblemSlug));
    }),
  );

  app.all(
    "/in/:tenant/:source",
    composed((context, { accept }) => handleIngest(context, accept)),
  );

  app.all(
    "/callbacks/:address",
    composed(async (context, app) => {
      const { handleCallback } = await import("../routes/callbacks.ts");
      return handleCallback(context, app);
    }),
  );

  app.all(
    "/openapi.json",
    read(
      composed(async (context) => {
        const { openApi } = await import("../routes/admin/index.ts");
        return context.json(openApi(new URL(context.req.url).origin));
      }),
    ),
  );
  app.all(
    "/admin/*",
    composed(async (context, app) => {
      const { handleAdmin } = await import("../routes/admin/index.ts");
      return handleAdmin(context, app);
    }),
  );

  app.notFound(notFound);
  app.onError((error, context) => {
    const known = error instanceof Retryable;
    const running = compose(context.env);
    if (running.ok) {
      running.app.deliver.log.error("request-failed", {
        // An address for callbacks is a credential.
        path: new URL(context.req.url).pathname.replace(/^(\/callbacks\/).*/, "$1…"),
        error: errorText(error),
      });
    }
    return problemResponse(
      context,
      known
        ? {
            slug: "unavailable",
            detail: "A store this needs did not answer; nothing is half done.",
            retryAfterMs: error.retryAfterMs,
          }
        : { slug: "internal", detail: "Something failed that should not; it is in the log." },
    );
  });
  return app;
}

type Handler = (context: Context<Bound>, app: App) => Response | Promise<Response>;

/** No middleware: Hono answers a path that has one handler at once, without a chain of calls. */
function composed(handle: Handler): Answer {
  return (context) => {
    const result = compose(context.env);
    if (result.ok) return handle(context, result.app);
    const detail = `The configuration is not valid: ${result.faults.join("; ")}.`;
    return problemResponse(context, { slug: "unavailable", detail, retryAfterMs: 60_000 });
  };
}

type Answer = (context: Context<Bound>) => Response | Promise<Response>;

/** What is only read: any other method is refused. Hono leaves the body out of an answer to HEAD. */
const read =
  (answer: Answer): Answer =>
  (context) => {
    const { method } = context.req;
    if (method === "GET" || method === "HEAD") return answer(context);
    const allow = "GET, HEAD";
    const detail = `Here are ${allow}.`;
    return problemResponse(context, { slug: "method-not-allowed", detail, allow });
  };

const notFound = (context: Context) =>
  problemResponse(context, { slug: "not-found", detail: "No route has this path." });
