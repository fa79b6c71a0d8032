/** Two small pages for people: where things are, and what a problem means. */
import { PROBLEMS, type ProblemSlug } from "../src/core/problem.ts";
import { VERSION } from "../src/core/version.ts";

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
  body { max-width: 42rem; margin: 3rem auto; padding: 0 1.25rem; }
  h1 { font-size: 1.5rem; } code, dd a { white-space: nowrap; } code { font: 0.9em ui-monospace, monospace; }
  dt { font-weight: 600; margin-top: 1rem; } dd { margin: 0; }
</style>
${body}
</html>
`;

export const homePage = (): string =>
  page(
    "Signalbox",
    `<h1>Signalbox ${VERSION}</h1>
<p>This router takes webhooks in, matches them against rules, and delivers them by priority.</p>
<dl>
  <dt><code>POST /in/{tenant}/{source}</code></dt><dd>Webhooks come in here.</dd>
  <dt><code>/admin/…</code></dt><dd>Tenants, sources, targets, rules, events and deliveries, with the admin token.</dd>
  <dt><a href="/openapi.json"><code>/openapi.json</code></a></dt><dd>Every route with its schemas (OpenAPI 3.1).</dd>
  <dt><a href="/healthz"><code>/healthz</code></a></dt><dd>Whether the router answers.</dd>
  <dt><code>/problems/{slug}</code></dt><dd>What an error means and what to do:
    ${Object.keys(PROBLEMS)
      .map((slug) => `<a href="/problems/${slug}">${slug}</a>`)
      .join(", ")}.</dd>
</dl>`,
  );

export function problemPage(slug: ProblemSlug): string {
  const { status, title, meaning, remedy } = PROBLEMS[slug];
  return page(
    title,
    `<h1>${title}</h1>
<p>Status ${status}, problem type <code>${slug}</code>.</p>
<dl><dt>What it means</dt><dd>${inline(meaning)}</dd><dt>What to do</dt><dd>${inline(remedy)}</dd></dl>
<p><a href="/">All problems, and where things are</a></p>`,
  );
}

/** The registry's texts use backquotes and angle brackets; nothing else in them is markup. */
const inline = (text: string): string =>
  text
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/`([^`]+)`/g, "<code>$1</code>");
