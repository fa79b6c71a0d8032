/** Where the time of one accepted event goes: each stage alone, with the real functions on a 1 KB order. */
import { platformCrypto as crypto, platformText as text } from "../../src/adapters/crypto.ts";
import { systemRandom } from "../../src/adapters/system.ts";
import { encodePack } from "../../src/core/enqueue/pack.ts";
import { type EventRecord, encodeFrame } from "../../src/core/enqueue/record.ts";
import { eventOf } from "../../src/core/event.ts";
import { eventId, timeOrderedId } from "../../src/core/ids.ts";
import { namesInBody, readEvents } from "../../src/core/ingest/events.ts";
import { keptHeaders } from "../../src/core/ingest/headers.ts";
import { compileRules, parsePattern } from "../../src/core/pattern/index.ts";
import { traceparentOf } from "../../src/core/trace.ts";
import { verify } from "../../src/core/verify/verify.ts";
import { figure, table } from "../measure/table.ts";
import { type Options, progress, type Report } from "../part.ts";
import { order, RULES, rules, SECRET, webhookHeaders } from "../workload.ts";

const CALLS = 2_000;
/** For the compiler to do its work. */
const WARM_UP_ROUNDS = 5;
/** Events of a pack under load. */
const PACK_EVENTS = 8;

export async function measureStages({ quick }: Options): Promise<Report> {
  progress("stages");
  const calls = Object.entries(stages()).map(([name, call]) => ({
    name,
    call,
    us: [] as number[],
  }));
  for (let round = -WARM_UP_ROUNDS; round < (quick ? 5 : 15); round += 1) {
    for (const { call, us } of calls) {
      const usOfRound = usPerCall(call);
      if (round >= 0) us.push(usOfRound);
    }
  }
  const measured = calls.map(({ name, us }) => ({ name, us: Math.min(...us) }));
  const sum = measured.reduce((total, { us }) => total + us, 0);
  return {
    title: "Stages of accepting one event",
    text: [
      table(
        [`1 KB order, ${RULES} rules`, "µs"],
        [...measured, { name: "together", us: sum }].map(({ name, us }) => [name, figure(us, 2)]),
      ),
      "Least of the rounds, in Node, without HTTP, limiter and queue.",
    ],
    data: { usPerEvent: Object.fromEntries(measured.map(({ name, us }) => [name, us])) },
    failures: [],
  };
}

function usPerCall(call: () => unknown): number {
  const start = performance.now();
  for (let calls = 0; calls < CALLS; calls += 1) call();
  return ((performance.now() - start) * 1_000) / CALLS;
}

function stages(): Readonly<Record<string, () => unknown>> {
  const body = text.encode(order("normal"));
  const headers = Object.entries({
    host: "127.0.0.1:8787",
    "content-length": String(body.length),
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    ...webhookHeaders(order("normal")),
  });
  const byName = new Map(headers);
  const header = (name: string): string | null => byName.get(name) ?? null;
  const receivedAtMs = Date.now();
  const request = { header, headers, body, receivedAtMs };
  const github = { scheme: "github", secrets: [SECRET] } as const;
  const set = compileRules(
    rules(RULES).flatMap(({ id, pattern }) => {
      const parsed = parsePattern(pattern);
      return parsed.ok ? [{ id, pattern: parsed.pattern }] : [];
    }),
  );
  const source = { scheme: "github" } as const;
  const names = namesInBody(set.names, source);
  const reading = readEvents(request, source, { crypto, text }, names);
  const draft = reading.ok ? reading.events[0] : undefined;
  if (draft === undefined) throw new Error("The order cannot be read.");
  const identity = { tenant: "bench", source: "github", key: draft.key };
  const record: EventRecord = {
    ...{ id: eventId(identity, crypto, text), receipt: newReceipt(), receivedAtMs },
    ...{ tenant: "bench", source: "github", type: draft.type, subject: null, time: null },
    ...{ contentType: draft.contentType, key: draft.key, keyFrom: draft.keyFrom },
    headers: keptHeaders(headers, github),
    verification: { scheme: "github", secretIndex: 0 },
    priority: "normal",
    subscriptions: [{ rule: "orders-normal", target: "receiver", priority: "normal" }],
    revision: 1,
    traceparent: traceparentOf(null, systemRandom.bytes(24)),
  };
  const event = eventOf(record, draft);
  const items = Array.from({ length: PACK_EVENTS }, () => ({
    content: encodeFrame(record, body, text),
  }));
  let inPack = 0;
  return {
    verify: () => verify(github, request, crypto, text),
    "read the event": () => readEvents(request, source, { crypto, text }, names),
    "choose headers": () => keptHeaders(headers, github),
    "event id": () => eventId(identity, crypto, text),
    "receipt and trace": () => [newReceipt(), traceparentOf(null, systemRandom.bytes(24))],
    "event for rules": () => eventOf(record, draft),
    match: () => set.match(event),
    "encode frame": () => encodeFrame(record, body, text),
    [`pack (1 of ${PACK_EVENTS})`]: () => {
      inPack = (inPack + 1) % PACK_EVENTS;
      return inPack === 0 && encodePack({ origin: null, items }, text);
    },
  };
}

const newReceipt = (): string => timeOrderedId("rcp_", Date.now(), systemRandom.bytes(10));
