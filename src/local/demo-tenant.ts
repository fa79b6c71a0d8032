/** The tenant that `npm start` prepares, so that the first webhook goes somewhere. */
import type { Admin } from "./admin.ts";

export interface Demo {
  /** A command that sends a signed webhook to the demo tenant. */
  curl(origin: string): string;
}

/** Not a secret: it protects nothing but the demo on this machine. */
const DEMO_SECRET = "demo-secret";

/** Creates or refreshes tenant `demo`: a GitHub source, two rules, and the echo target. */
export async function prepareDemo(admin: Admin, echoUrl: string): Promise<Demo> {
  await admin.put("tenants/demo", { name: "Demo" });
  await admin.put("tenants/demo/sources/github", {
    verify: { scheme: "github", secrets: [DEMO_SECRET] },
  });
  await admin.put("tenants/demo/targets/echo", { kind: "http", url: echoUrl });
  await admin.put("tenants/demo/rules/pushes-to-main", {
    description: "Pushes to the main branch are urgent.",
    pattern: { type: ["push"], data: { ref: ["refs/heads/main"] } },
    priority: "critical",
    targets: ["echo"],
  });
  await admin.put("tenants/demo/rules/everything-else", {
    description: "Everything but pushes goes out when there is time.",
    pattern: { type: [{ "anything-but": "push" }] },
    priority: "bulk",
    targets: ["echo"],
  });
  return { curl: curlCommand };
}

const curlCommand = (
  origin: string,
): string => `  BODY='{"ref":"refs/heads/main","commits":[{"message":"Hello"}]}'
  curl -i ${origin}/in/demo/github \\
    -H 'content-type: application/json' -H 'x-github-event: push' -H "x-github-delivery: $(date +%s%N)" \\
    -H "x-hub-signature-256: sha256=$(printf %s "$BODY" | openssl dgst -sha256 -hmac ${DEMO_SECRET} | sed 's/.* //')" \\
    -d "$BODY"`;
