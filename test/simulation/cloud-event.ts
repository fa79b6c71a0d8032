/** What a target gets as a CloudEvent: alone, or with others. */

export interface Message {
  readonly signalboxevent: string;
  readonly signalboxrule: string;
  readonly signalboxdelivery: string;
  readonly signalboxattempt: number;
  readonly data?: unknown;
  readonly dataref?: string;
}

/** Its data, or where they are: only what no message holds, or no double. */
export function carries({ signalboxevent, data, dataref }: Message, own: Uint8Array): boolean {
  const text = Buffer.from(own).toString();
  if (dataref === undefined) return JSON.stringify(data) === JSON.stringify(JSON.parse(text));
  const isHeldBack = own.length > 60_000 || text.includes(".0");
  return isHeldBack && dataref.endsWith(`/events/${signalboxevent}/body`);
}
