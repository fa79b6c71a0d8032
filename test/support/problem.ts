/** What a refusal says (RFC 9457), checked to be whole. */
import { expect } from "vitest";

export interface Problem {
  readonly status: number;
  /** The last part of its type. */
  readonly slug: string;
  readonly title: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
  readonly bytesMax?: number;
  readonly headers: Headers;
}

/** The problem that `answer` is; fails the test when it is none, or lacks a member. */
export async function problemOf(answer: Response | Promise<Response>): Promise<Problem> {
  const { status, headers, ...response } = await bodyOf(await answer);
  expect(headers.get("content-type")).toBe("application/problem+json");
  const body = JSON.parse(response.text);
  expect(body).toMatchObject({
    type: expect.stringMatching(/^https?:\/\/[^/]+\/problems\/[a-z-]+$/),
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    instance: expect.stringMatching(/^urn:uuid:/),
  });
  return { ...body, slug: body.type.split("/").at(-1), headers };
}

const bodyOf = async (response: Response) => ({
  status: response.status,
  headers: response.headers,
  text: await response.text(),
});
