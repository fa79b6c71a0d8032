/** What the sagas part says: ratios to the bare chain, what one writes, and dollars by the million. */
import type { Counters } from "../measure/counters.ts";
import { compare, median, quantile } from "../measure/statistics.ts";
import { figure, table } from "../measure/table.ts";
import type { Report } from "../part.ts";
import { AWS_PRICES, type Item, PRICES, sumUsd, usdOf } from "../prices.ts";
import { STEPS } from "./saga-systems.ts";
import type { ChainSample } from "./sagas.ts";

export interface SagaUsage {
  /** By saga. */
  readonly counters: Counters;
  /** By step more than those. */
  readonly byStep: Counters;
  /** The runtime's, for a start of a saga that has been started. */
  readonly startCpuMs: number;
}

/** How long a participant takes to answer; meanwhile an object is billed, and an express one of Step Functions. */
const PARTICIPANT_SECONDS = 0.1;
const OBJECT_GB = 0.128;
/** The least that is billed. */
const EXPRESS_GB = 64 / 1_024;

export function sagasReport(
  chain: readonly ChainSample[],
  saga: readonly ChainSample[],
  usage: SagaUsage,
): Pick<Report, "text" | "data"> {
  const costs = costsOf(usage);
  return {
    text: [
      ...[speedText(chain, saga), writesText(usage), ...costs.map(costText)],
      ...[besideText(usage), ASSUMED],
    ],
    data: {
      usage,
      costs: costs.map(({ name, items }) => ({ name, usd: sumUsd(items) })),
      ...{ chain, saga },
    },
  };
}

function speedText(chain: readonly ChainSample[], saga: readonly ChainSample[]): string {
  const measures = [
    ["started and ended a second", "higher", (sample: ChainSample) => sample.perSecond],
    ["runtime's CPU each, ms", "lower", (sample: ChainSample) => sample.cpuMs],
    ...([0.5, 0.99] as const).flatMap((share) => [
      [
        `start to first step, ms, p${share * 100}`,
        "lower",
        (sample: ChainSample) => quantile(sample.startMs, share),
      ] as const,
      [
        `answer to next step, ms, p${share * 100}`,
        "lower",
        (sample: ChainSample) => quantile(sample.gapMs, share),
      ] as const,
    ]),
  ] as const;
  const rows = measures.map(([name, better, of]) => {
    const [bare, ours] = [chain.map(of), saga.map(of)];
    const { ratio, interval, verdict } = compare(ours, bare, better);
    return [
      ...[name, figure(median(bare), 1), figure(median(ours), 1), figure(ratio, 2)],
      ...[`${figure(interval.low, 2)}–${figure(interval.high, 2)}`, verdict],
    ];
  });
  return table(["four steps", "bare chain", "sagas", "ratio", "95 %", ""], rows);
}

function writesText({ counters, byStep }: SagaUsage): string {
  const rows = [
    ["durable_object_rows_written", "Durable Object: rows written, the alarm included"],
    ["durable_object_calls", "Durable Object: calls"],
    ["d1_rows_written", "D1: rows written"],
    ["d1_rows_read", "D1: rows read"],
    ["d1_round_trips", "D1: round trips"],
  ] as const;
  return table(
    ["", "saga of four steps", "a step more"],
    rows.map(([name, label]) => [
      ...[label, figure(counters[name] ?? Number.NaN, 2), figure(byStep[name] ?? Number.NaN, 2)],
    ]),
  );
}

interface Cost {
  readonly name: string;
  readonly items: readonly Item[];
}

const item = (name: string, perEvent: number, price: Item["price"]): Item => {
  return { name, perEvent, price };
};

/** What the router's own stores and objects take for so many steps. */
function storesOf(counters: Counters, steps: number): Item[] {
  const of = (name: string): number => counters[name] ?? Number.NaN;
  const gbSeconds = steps * PARTICIPANT_SECONDS * OBJECT_GB;
  return [
    item("D1: rows written", of("d1_rows_written"), PRICES.d1RowWritten),
    item("D1: rows read", of("d1_rows_read"), PRICES.d1RowRead),
    item("Durable Objects: calls", of("durable_object_calls"), PRICES.objectRequest),
    item("Durable Objects: duration", gbSeconds, PRICES.objectGbSecond),
    item("Durable Objects: rows", of("durable_object_rows_written"), PRICES.objectRowWritten),
  ];
}

function ours({ counters, byStep, startCpuMs }: SagaUsage, steps: number): Cost {
  const all: Counters = Object.fromEntries(
    Object.entries(counters).map(([name, value]) => [
      name,
      value + (steps - STEPS.length) * (byStep[name] ?? Number.NaN),
    ]),
  );
  return {
    name: "Signalbox",
    items: [
      item("Worker: start", 1, PRICES.workerRequest),
      item("Worker: CPU", startCpuMs, PRICES.workerCpuMs),
      ...storesOf(all, steps),
    ],
  };
}

/** The request that starts it, and the instance, which is an invocation of its own. */
const workflows = (steps: number): Cost => ({
  name: "Cloudflare Workflows",
  items: [
    item("start, instance", 2, PRICES.workerRequest),
    item("steps", steps, PRICES.workflowStep),
  ],
});

function costsOf(usage: SagaUsage): Cost[] {
  const seconds = STEPS.length * PARTICIPANT_SECONDS;
  return [
    ours(usage, STEPS.length),
    workflows(STEPS.length),
    {
      name: "AWS Step Functions, standard",
      items: [item("state transitions", STEPS.length, AWS_PRICES.stepTransition)],
    },
    {
      name: "AWS Step Functions, express",
      items: [
        item("requests", 1, AWS_PRICES.expressRequest),
        item("duration", seconds * EXPRESS_GB, AWS_PRICES.expressGbSecond),
      ],
    },
  ];
}

/** Sagas of this many steps are set beside Workflows of as many. */
const LENGTHS = [2, 4, 8, 16];

function besideText(usage: SagaUsage): string {
  const step = sumUsd(storesOf(usage.byStep, 1));
  const list = usdOf(item("step", 1, PRICES.workflowStep));
  const rows = LENGTHS.map((steps) => {
    const [mine, theirs] = [ours(usage, steps), workflows(steps)].map(({ items }) => sumUsd(items));
    return [`a saga of ${steps} steps`, mine ?? Number.NaN, theirs ?? Number.NaN] as const;
  });
  return table(
    ["USD by the million", "Signalbox", "Workflows", "ratio"],
    [["a step more", step, list] as const, ...rows].map(([name, mine, theirs]) => [
      ...[name, figure(mine, 2), figure(theirs, 2), figure(mine / theirs, 3)],
    ]),
  );
}

function costText({ name, items }: Cost): string {
  const rows = items.map((item) => [
    ...[item.name, figure(item.perEvent, 3), item.price.unit, figure(usdOf(item), 2)],
    item.price.source,
  ]);
  const total = ["total", "", "", figure(sumUsd(items), 2), ""];
  return table([`per million sagas, ${name}`, "each", "", "USD", "price"], [...rows, total]);
}

const ASSUMED = [
  "Counted by the router over completed sagas of four and of eight http steps without a wait, started over HTTP; one that is",
  "started by an event costs the event on top, a correlation id one D1 row. Assumed: participants answer within",
  `${PARTICIPANT_SECONDS * 1_000} ms each, while the object waits in memory and is billed by duration; no allowances; no retries. The Worker's`,
  "CPU is what the whole local runtime takes for a start that finds its saga. Of the others only what their own price lists",
  "name by step or start is counted: a step is one billed step and one state transition; their CPU and storage are left out, ours",
  "counts with the start's CPU. Express runs at least once, for five minutes at most, and can wait for nothing longer.",
].join("\n");
