/** A test's own receivers, and how they may answer: with a status, never, or by hanging up. */
import type { OutgoingHttpHeaders } from "node:http";
import { onTestFinished } from "vitest";
import { type Answer, type Receiver, startReceiver } from "./receiver.ts";

/** A receiver that stops when the running test ends. */
export async function receiverHere(answer?: Answer): Promise<Receiver> {
  const receiver = await startReceiver(answer);
  onTestFinished(() => receiver.stop());
  return receiver;
}

export const status =
  (code: number, headers: OutgoingHttpHeaders = {}): Answer =>
  (_, response) =>
    void response.writeHead(code, headers).end();

/** The connection stays open and nothing comes. */
export const never: Answer = () => {};

/** The connection is closed without an answer. */
export const hangUp: Answer = (_, response) => void response.destroy();

/** Each answer once, then the last one for good. */
export function inTurn(...answers: readonly Answer[]): Answer {
  let turn = 0;
  return (request, response) => {
    answers[Math.min(turn, answers.length - 1)]?.(request, response);
    turn += 1;
  };
}
