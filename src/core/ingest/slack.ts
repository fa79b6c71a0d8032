/** Slack asks a new address to prove that it is the right one before it sends events there. */
import { type Json, resolvePointer } from "../json.ts";

/**
 * The text to answer the `url_verification` handshake with, or null if the data is no such question
 * (docs.slack.dev/reference/events/url_verification).
 */
export function slackChallenge(data: Json | undefined): string | null {
  if (data === undefined || resolvePointer(data, "/type") !== "url_verification") return null;
  const challenge = resolvePointer(data, "/challenge");
  return typeof challenge === "string" ? challenge : null;
}
