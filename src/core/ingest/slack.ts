/** Slack asks a new address to prove that it is the right one before it sends events there. */
import { type Json, resolvePointer } from "../json.ts";

/** Where that question stands in the data. */
export const SLACK_CHALLENGE = ["/type", "/challenge"] as const;
const [TYPE, CHALLENGE] = SLACK_CHALLENGE;

/**
 * The text to answer the `url_verification` handshake with, or null if the data is no such question
 * (docs.slack.dev/reference/events/url_verification).
 */
export function slackChallenge(data: Json | undefined): string | null {
  if (data === undefined || resolvePointer(data, TYPE) !== "url_verification") return null;
  const challenge = resolvePointer(data, CHALLENGE);
  return typeof challenge === "string" ? challenge : null;
}
