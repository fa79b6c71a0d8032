/** The HTTP surface: which door a path leads to, and how every failure is answered. */
import { type Context, Hono } from "hono";
import { handleIngest } from "../routes/ingest.ts";
import { homePage, problemPage } from "../routes/pages.ts";
import { problemResponse } from "../routes/problems.ts";
import { type App, compose } from "./compose.ts";
import { Retryable } from "./core/errors.ts";
import { PROBLEMS, type ProblemSlug } from "./core/problem.ts";
import { VERSION } from "./core/version.ts";
import type { Env } from "./env.ts";
import { errorText } from "./ports/log.ts";

export type AppContext = Context<{ Bindings: Env; Variables: { app: App } }>;

export function createApp(): Hono<{ Bindings: Env; Variables: { app: App } }> {
  const app = new Hono<{ Bindings: Env; Variables: { app: App } }>();

  app.get("/healthz", (context) => context.json({ status: "ok", version: VERSION }));
  app.get("/", (context) => context.html(homePage()));
  app.get("/problems/:slug", (context) => {
    const slug = context.req.param("slug");
    if (!Object.hasOwn(PROBLEMS, slug)) return notFound(context);
    return context.html(problemPage(slug as ProblemSlug));
  });

  app.use("*", async (context, next) => {
    const composed = compose(context.env);
    if (!composed.ok) {
      const detail = `The configuration is not valid: ${composed.faults.join("; ")}.`;
      return problemResponse(context, { slug: "unavailable", detail, retryAfterMs: 60_000 });
    }
    context.set("app", composed.app);
    return next();
  });

  app.all("/in/:tenant/:source", (context) => handleIngest(context, context.get("app").accept));

  // Loaded on first use: a webhook never pays for the admin half.
  app.get("/openapi.json", async (context) => {
    const { openApi } = await import("../routes/admin/index.ts");
    return context.json(openApi(new URL(context.req.url).origin));
  });
  app.all("/admin/*", async (context) => {
    const { handleAdmin } = await import("../routes/admin/index.ts");
    return handleAdmin(context, context.get("app"));
  });

  app.notFound(notFound);
  app.onError((error, context) => {
    const known = error instanceof Retryable;
    context.get("app")?.deliver.log.error("request-failed", {
      path: new URL(context.req.url).pathname,
      error: errorText(error),
    });
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

const notFound = (context: Context) =>
  problemResponse(context, { slug: "not-found", detail: "No route has this path." });
