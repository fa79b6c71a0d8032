/** GitHub's example webhooks, the rules that sort them, and what must come out, told independently. */
import examples from "@octokit/webhooks-examples";
import { newTargetSecret } from "./sdk-receivers.ts";

/** Each target's live secrets; `builds` is in the middle of a rotation. */
export const TARGETS: Readonly<Record<string, readonly string[]>> = {
  pager: [newTargetSecret()],
  builds: [newTargetSecret(), newTargetSecret()],
  audit: [newTargetSecret()],
  desk: [newTargetSecret()],
  archive: [newTargetSecret()],
};

export interface GitHubWebhook {
  readonly delivery: string;
  readonly name: string;
  readonly action: string | undefined;
  readonly body: string;
}

interface Rule {
  readonly id: string;
  readonly pattern: object;
  readonly priority: "critical" | "normal" | "bulk";
  readonly targets: readonly string[];
  readonly enabled?: boolean;
  /** What the pattern says, in other words than the router's. */
  wants(webhook: GitHubWebhook): boolean;
}

export const RULES: readonly Rule[] = [
  {
    id: "alerts",
    pattern: { type: [{ suffix: "_alert" }, "security_advisory"] },
    priority: "critical",
    targets: ["pager"],
    wants: ({ name }) => name.endsWith("_alert") || name === "security_advisory",
  },
  {
    id: "deploys",
    pattern: { type: ["push", "deployment"] },
    priority: "critical",
    targets: ["builds", "audit"],
    wants: ({ name }) => name === "push" || name === "deployment",
  },
  {
    id: "pushes-again",
    pattern: { type: ["push"], source: ["github"] },
    priority: "bulk",
    targets: ["audit"],
    wants: ({ name }) => name === "push",
  },
  {
    id: "new-issues",
    pattern: { type: ["issues"], data: { action: ["opened", "reopened"] } },
    priority: "critical",
    targets: ["desk"],
    wants: ({ name, action }) => name === "issues" && /^(re)?opened$/.test(action ?? ""),
  },
  {
    id: "all-issues",
    pattern: { type: [{ prefix: "issue" }] },
    priority: "bulk",
    targets: ["archive"],
    wants: ({ name }) => name === "issues" || name === "issue_comment",
  },
  {
    id: "discussions",
    pattern: { headers: { "x-github-event": [{ prefix: "discussion" }] } },
    priority: "normal",
    targets: ["desk", "archive"],
    wants: ({ name }) => name.startsWith("discussion"),
  },
  {
    id: "switched-off",
    pattern: { source: ["github"] },
    priority: "critical",
    targets: ["pager"],
    enabled: false,
    wants: () => false,
  },
  {
    id: "another-source",
    pattern: { source: ["gitlab"], type: ["push"] },
    priority: "critical",
    targets: ["pager"],
    wants: () => false,
  },
];

/** Written in three ways, since a signature covers each space. */
const INDENTS = [undefined, 2, "\t"];

export const WEBHOOKS: readonly GitHubWebhook[] = examples
  .flatMap(({ name, examples: payloads }) => payloads.map((payload) => ({ name, payload })))
  .map(({ name, payload }, index) => ({
    delivery: deliveryGuid(index),
    name,
    action: "action" in payload ? String(payload.action) : undefined,
    body: JSON.stringify(payload, null, INDENTS[index % INDENTS.length]),
  }));

export function deliveryGuid(index: number): string {
  return `72d3162e-cc78-11e3-81ab-${String(index).padStart(12, "0")}`;
}

export const rulesFor = (webhook: GitHubWebhook): Rule[] =>
  RULES.filter((rule) => rule.wants(webhook));

/** Every delivery that must come of the webhooks, as `delivery rule /target`, sorted. */
export const DELIVERIES: readonly string[] = WEBHOOKS.flatMap((webhook) =>
  rulesFor(webhook).flatMap(({ id, targets }) =>
    targets.map((target) => `${webhook.delivery} ${id} /${target}`),
  ),
).sort();
