/** What the cost part says: the sums, where they come from, and what was assumed. */
import { figure, table } from "../measure/table.ts";
import type { Report } from "../part.ts";
import { AWS_PRICES, type Item, PRICES, type Price, READ_ON, sumUsd, usdOf } from "../prices.ts";
import type { Costed } from "./cost.ts";
import {
  AWS_FULL,
  AWS_LEAN,
  EVENTS_PER_MONTH,
  keptItems,
  OBJECT_ACTIVE_MS,
  signalboxItems,
} from "./cost-model.ts";

/** For one target at 1 KB, under load, by the counters; what is kept afterwards has no goal of its own. */
const USD_MAX = 2.75;
/** What the router's own counters may come to by event, under load. */
const COUNTS_MAX = [
  { name: "D1 rows written", counter: "d1_rows_written", max: 2 },
  { name: "D1 round trips", counter: "d1_round_trips", max: 0.05 },
  { name: "R2 puts", counter: "r2_puts", max: 0.005 },
  { name: "outbox rows written", counter: "durable_object_rows_written", max: 0.3 },
] as const;
const MILLION = 1_000_000;

const dollars = (usd: number): string => figure(usd, usd !== 0 && usd < 0.01 ? 4 : 2);
/** What a million events use of it. */
const amount = ({ perEvent }: Item): string =>
  figure(perEvent * MILLION, perEvent * MILLION < 100 ? 2 : 0);

export function costReport(costed: readonly Costed[]): Pick<Report, "text" | "data"> {
  const sums = costed.map(({ outbox, atLoad }) => {
    const usd = sumUsd(signalboxItems(atLoad));
    return { outbox, usd, keptUsd: sumUsd(keptItems(atLoad)), goalUsd: USD_MAX };
  });
  return {
    text: [
      ...costed.map(modeText),
      sums.map(verdictText).join("\n"),
      countsText(costed),
      assumptionsText(costed),
      awsText("AWS, lean", AWS_LEAN),
      awsText("AWS, full equivalent", AWS_FULL),
      pricesText(),
    ],
    data: { costed, sums, aws: { lean: sumUsd(AWS_LEAN), full: sumUsd(AWS_FULL) } },
  };
}

function verdictText(sum: { outbox: string; usd: number; keptUsd: number; goalUsd: number }) {
  const { outbox, usd, keptUsd, goalUsd } = sum;
  const kept = `with what is kept $${figure(usd + keptUsd, 2)}, which no goal covers`;
  return `outbox ${outbox}: $${figure(usd, 2)} (goal ≤ $${goalUsd}: ${met(usd, goalUsd)}); ${kept}.`;
}

const met = (measured: number, goal: number): string => (measured <= goal ? "met" : "MISSED");

function countsText(costed: readonly Costed[]): string {
  const rows = COUNTS_MAX.map(({ name, counter, max }) => [
    name,
    ...costed.flatMap(({ atLoad }) => {
      const measured = atLoad.counters[counter] ?? Number.NaN;
      return [figure(measured, 4), `≤ ${max}: ${met(measured, max)}`];
    }),
  ]);
  const modes = costed.flatMap(({ outbox }) => [`outbox ${outbox}`, "goal"]);
  return table(["per event, at load", ...modes], rows);
}

function modeText({ outbox, atLoad, light }: Costed): string {
  const rowsOf = (items: readonly Item[], lightItems: readonly Item[]) =>
    items.map((item, at) => {
      const other = lightItems[at] ?? item;
      return [
        item.name,
        ...[amount(item), item.price.unit, dollars(usdOf(item))],
        ...[amount(other), dollars(usdOf(other))],
      ];
    });
  const sumRow = (name: string, items: readonly Item[], lightItems: readonly Item[]) => [
    ...[name, "", "", figure(sumUsd(items), 2), "", figure(sumUsd(lightItems), 2)],
  ];
  const [items, lightItems] = [signalboxItems(atLoad), signalboxItems(light)];
  const [kept, lightKept] = [keptItems(atLoad), keptItems(light)];
  const head = [`per million, outbox ${outbox}`, "at load", "", "USD", "at 50/s", "USD"];
  return table(head, [
    ...rowsOf(items, lightItems),
    sumRow("delivered", items, lightItems),
    ...rowsOf(kept, lightKept),
    sumRow("with what is kept", [...items, ...kept], [...lightItems, ...lightKept]),
  ]);
}

function awsText(name: string, items: readonly Item[]): string {
  const rows = items.map((item) => [
    item.name,
    ...[amount(item), item.price.unit, dollars(usdOf(item))],
  ]);
  const total = ["total", "", "", figure(sumUsd(items), 2)];
  return table([`per million, ${name}`, "amount", "", "USD"], [...rows, total]);
}

function assumptionsText(costed: readonly Costed[]): string {
  const {
    cpuMs = Number.NaN,
    ledgerBytes = Number.NaN,
    archiveBytes = Number.NaN,
  } = costed[0]?.atLoad ?? {};
  return [
    "At load: 64 senders, 1 KB signed events, one rule of 100 matches, one HTTP target, normal priority, a tenant",
    "with a limit. Counted by the router: messages, invocations, calls, puts, gets, and rows, those of indexes and",
    "alarms included. Assumed: list prices without included allowances; no retries, no event sent twice; CPU is what",
    `the whole local runtime took (${figure(cpuMs, 2)} ms an event, simulated queue and stores included): production's own is`,
    `not known, and each ms an event is $${figure(PRICES.workerCpuMs.usd, 2)}; a Durable Object is billed ${OBJECT_ACTIVE_MS} ms for a call; the cron's`,
    `runs fall on ${figure(EVENTS_PER_MONTH / MILLION)} million events a month; logs are sampled as wrangler.toml says; an event leaves`,
    `${figure(ledgerBytes)} bytes in the ledger and ${figure(archiveBytes)} in the archive, as measured. No KV is used; egress is free.`,
    "For AWS: SQS and Lambda in batches of 10, 10 ms of 128 MB to take an event and as much to deliver it; lean is",
    "one write of 1 KB and no limits, ledger or archive; full has three writes and 500 bytes of logs. Neither keeps",
    "anything, and egress ($0.09 a GB) is left out.",
  ].join("\n");
}

/** Each price once. */
function pricesText(): string {
  const prices = Object.entries<Price>({ ...PRICES, ...AWS_PRICES });
  const rows = prices.map(([name, { usd, per, unit, source }]) => {
    return [name, `$${usd}`, `${per === 1 ? "" : "million "}${unit}`, source];
  });
  return table([`list prices, read on ${READ_ON}`, "USD", "per", "source"], rows);
}
