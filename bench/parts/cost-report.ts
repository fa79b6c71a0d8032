/** What the cost part says: the sums, where they come from, and what was assumed. */
import { figure, table } from "../measure/table.ts";
import type { Report } from "../part.ts";
import { AWS_PRICES, type Item, PRICES, type Price, READ_ON, sumUsd, usdOf } from "../prices.ts";
import type { Costed } from "./cost.ts";
import {
  AWS_FULL,
  AWS_LEAN,
  EVENTS_PER_MONTH,
  KEPT_DAYS,
  OBJECT_ACTIVE_MS,
  signalboxItems,
} from "./cost-model.ts";

/** For one target at 1 KB, under load. */
const USD_MAX = 2.75;
const MILLION = 1_000_000;

const dollars = (usd: number): string => figure(usd, usd !== 0 && usd < 0.01 ? 4 : 2);
/** What a million events use of it. */
const amount = ({ perEvent }: Item): string =>
  figure(perEvent * MILLION, perEvent * MILLION < 100 ? 2 : 0);

export function costReport(costed: readonly Costed[]): Pick<Report, "text" | "data"> {
  const sums = costed.map(({ outbox, atLoad }) => {
    const usd = sumUsd(signalboxItems(atLoad));
    return { outbox, usd, goalUsd: USD_MAX, met: usd <= USD_MAX };
  });
  return {
    text: [
      ...costed.map((one) => modeText(one)),
      sums
        .map(({ outbox, usd, met }) => {
          const verdict = met ? "met" : "MISSED";
          return `outbox ${outbox}: $${figure(usd, 2)} per million, goal ≤ $${USD_MAX}: ${verdict}.`;
        })
        .join("\n"),
      assumptionsText(costed),
      ...[
        ["AWS, lean", AWS_LEAN],
        ["AWS, full equivalent", AWS_FULL],
      ].map(([name, items]) => awsText(name as string, items as readonly Item[])),
      pricesText(),
    ],
    data: { costed, sums, aws: { lean: sumUsd(AWS_LEAN), full: sumUsd(AWS_FULL) } },
  };
}

function modeText({ outbox, atLoad, light }: Costed): string {
  const lightItems = signalboxItems(light);
  const items = signalboxItems(atLoad);
  const rows = items.map((item, at) => {
    const other = lightItems[at] ?? item;
    return [
      item.name,
      ...[amount(item), item.price.unit, dollars(usdOf(item))],
      ...[amount(other), dollars(usdOf(other))],
    ];
  });
  const total = ["total", "", "", figure(sumUsd(items), 2), "", figure(sumUsd(lightItems), 2)];
  const head = [`per million, outbox ${outbox}`, "at load", "", "USD", "at 50/s", "USD"];
  return table(head, [...rows, total]);
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
    "with a limit. Counted",
    "by the router: messages, invocations, rows (those of indexes and alarms included), calls, puts and gets.",
    "Assumed: list prices, no included allowance used up or left; no retries, no event sent twice; CPU is what the",
    `whole local runtime took (${figure(cpuMs, 2)} ms an event), simulated queue and stores included: production's own is not`,
    `known, and each ms an event is $${figure(PRICES.workerCpuMs.usd, 2)}; a Durable Object is billed ${OBJECT_ACTIVE_MS} ms for a call; the cron's runs`,
    `fall on ${figure(EVENTS_PER_MONTH / MILLION)} million events a month; logs are sampled as wrangler.toml says; kept for ${KEPT_DAYS} days are`,
    `${figure(ledgerBytes)} bytes of ledger and ${figure(archiveBytes)} of archive an event, as measured. No KV is used; egress is free.`,
    "For AWS: SQS and Lambda in batches of 10, 10 ms of 128 MB to take an event and as much to deliver it; lean is one",
    "write of 1 KB and no limits, ledger or archive; full has three writes and 500 bytes of logs. Neither keeps",
    "events, and egress ($0.09 a GB) is left out.",
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
