/** Slack's question whether this is the right address. */
import { describe, expect, it } from "vitest";
import { slackChallenge } from "../../../src/core/ingest/slack.ts";
import { eventOf, namedEventOf } from "./request.ts";

const JSON_TYPE = { "content-type": "application/json" };
const QUESTION =
  '{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gm","type":"url_verification"}';

describe("slackChallenge", () => {
  it("is the text to answer with", () => {
    const { data } = eventOf(JSON_TYPE, QUESTION, { scheme: "slack" });
    expect(slackChallenge(data)).toBe("3eZbrw1aBm2rZgRNFdxV2595E9CY3gm");
  });

  it("is read where rules look nowhere", () => {
    const { data } = namedEventOf(JSON_TYPE, QUESTION, { scheme: "slack" });
    expect(slackChallenge(data)).toBe("3eZbrw1aBm2rZgRNFdxV2595E9CY3gm");
    expect(data).not.toHaveProperty("token");
  });

  it.each([
    [undefined],
    [null],
    ["url_verification"],
    [{ type: "url_verification" }],
    [{ type: "url_verification", challenge: 5 }],
    [{ type: "event_callback", challenge: "x" }],
    [{ challenge: "x" }],
    [[{ type: "url_verification", challenge: "x" }]],
  ])("is null for what is no such question: %j", (data) => {
    expect(slackChallenge(data)).toBeNull();
  });
});
