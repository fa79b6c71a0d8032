/** What the sagas part says: ratios to the bare chain, what one writes, and dollars by the million. */
import type { Counters } from "../measure/counters.ts";
import { compare, median, quantile } from "../measure/statistics.ts";
import { figure, table } from "../measure/table.ts";
import type { Report } from "../part.ts";
import { AWS_PRICES, type Item, PRICES, sumUsd, usdOf } from "../prices.ts";
import { STEPS } from "./saga-systems.ts";
import type { ChainSample } from "./sagas.ts";

/** By saga. */
export interface SagaUsage {
  readonly counters: Counters;
  readonly cpuMs: number;
  readonly journalRows: number;
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
    text: [speedText(chain, saga), writesText(usage), ...costs.map(costText), ASSUMED],
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

function writesText({ counters, journalRows }: SagaUsage): string {
  const of = (name: string): number => counters[name] ?? Number.NaN;
  const rows = of("durable_object_rows_written");
  return table(
    ["per saga of four steps", ""],
    [
      ["Durable Object: rows written, alarms included", figure(rows, 2)],
      ["… of the journal", figure(journalRows, 2)],
      ["… the alarm, and the journal's table", figure(rows - journalRows, 2)],
      ["Durable Object: calls", figure(of("durable_object_calls"), 2)],
      ["D1: rows written", figure(of("d1_rows_written"), 2)],
      ["D1: rows read", figure(of("d1_rows_read"), 2)],
      ["D1: round trips", figure(of("d1_round_trips"), 2)],
    ],
  );
}

interface Cost {
  readonly name: string;
  readonly items: readonly Item[];
}

function costsOf({ counters, cpuMs }: SagaUsage): Cost[] {
  const of = (name: string): number => counters[name] ?? Number.NaN;
  const seconds = STEPS.length * PARTICIPANT_SECONDS;
  const item = (name: string, perEvent: number, price: Item["price"]): Item => {
    return { name, perEvent, price };
  };
  return [
    {
      name: "Signalbox",
      items: [
        item("Worker: start", 1, PRICES.workerRequest),
        item("Worker: CPU", cpuMs, PRICES.workerCpuMs),
        item("D1: rows written", of("d1_rows_written"), PRICES.d1RowWritten),
        item("D1: rows read", of("d1_rows_read"), PRICES.d1RowRead),
        item("Durable Objects: calls", of("durable_object_calls"), PRICES.objectRequest),
        item("Durable Objects: duration", seconds * OBJECT_GB, PRICES.objectGbSecond),
        item(
          "Durable Objects: rows written",
          of("durable_object_rows_written"),
          PRICES.objectRowWritten,
        ),
      ],
    },
    {
      name: "Cloudflare Workflows",
      items: [
        item("start", 1, PRICES.workerRequest),
        item("steps", STEPS.length, PRICES.workflowStep),
      ],
    },
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

function costText({ name, items }: Cost): string {
  const rows = items.map((item) => [
    ...[item.name, figure(item.perEvent, 3), item.price.unit, figure(usdOf(item), 2)],
    item.price.source,
  ]);
  const total = ["total", "", "", figure(sumUsd(items), 2), ""];
  return table([`per million sagas, ${name}`, "each", "", "USD", "price"], [...rows, total]);
}

const ASSUMED = [
  "Counted by the router over completed sagas of four http steps without a wait, started over HTTP; one that is started by",
  `an event costs the event on top. Assumed: participants answer within ${PARTICIPANT_SECONDS * 1_000} ms each, while the object waits in memory and`,
  "is billed; CPU is what the whole local runtime took; no allowances; no retries. Of the others only what their own price",
  "lists name by step is counted: a step is one billed step and one state transition, their CPU, storage and the calls",
  "themselves are left out. Express runs at least once, for five minutes at most, and can wait for nothing longer.",
].join("\n");
