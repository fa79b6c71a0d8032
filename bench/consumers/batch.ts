/** A batch on its way between the broker and the router. */

export const BROKER_PATH = "/bench/batch";

export interface MessageText {
  readonly id: string;
  readonly attempts: number;
  /** Base64. */
  readonly body: string;
}

export interface BatchText {
  readonly queue: string;
  readonly messages: readonly MessageText[];
}

/** By message: "ack", or after how many seconds it comes again. */
export type Answers = Record<string, "ack" | number>;
