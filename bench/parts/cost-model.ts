/** From counters to dollars: what each event uses, under assumptions that stand here by name. */
import type { Counters } from "../measure/counters.ts";
import { AWS_PRICES, type Item, PRICES } from "../prices.ts";

/** A message is a single 64 KB operation to write, one to read and one to delete (PACK_BYTES_MAX). */
const OPERATIONS_PER_MESSAGE = 3;
/** What wrangler.toml samples of the invocations' logs. */
const LOG_SHARE = 0.05;
/** The sweeper runs every minute, whatever the load; its share falls on so many events a month. */
const CRON_RUNS_PER_MONTH = 43_800;
export const EVENTS_PER_MONTH = 10_000_000;
/** An object is billed while it works or waits; most of this is a queue's `send`, of 60 ms median. */
export const OBJECT_ACTIVE_MS = 100;
const OBJECT_GB = 0.128;
/** A row lives in the ledger for two to three generations of 14 days. The archive by the month, as it is billed. */
export const LEDGER_DAYS = 35;
export const ARCHIVE_DAYS = 30;
const DAYS_PER_MONTH = 30;

export interface Usage {
  /** By accepted event. */
  readonly counters: Counters;
  readonly cpuMs: number;
  readonly ledgerBytes: number;
  readonly archiveBytes: number;
}

/** Until it is delivered and written down. */
export function signalboxItems({ counters, cpuMs }: Usage): Item[] {
  const of = (name: string): number => counters[name] ?? Number.NaN;
  const cron = CRON_RUNS_PER_MONTH / EVENTS_PER_MONTH;
  const invocations = 1 + of("queue_batches") + cron;
  const calls = of("durable_object_calls");
  return [
    { name: "Worker: webhooks", perEvent: 1, price: PRICES.workerRequest },
    { name: "Worker: consumer", perEvent: of("queue_batches"), price: PRICES.workerRequest },
    { name: "Worker: cron", perEvent: cron, price: PRICES.workerRequest },
    { name: "Worker: CPU", perEvent: cpuMs, price: PRICES.workerCpuMs },
    {
      name: "Worker: logs, sampled",
      perEvent: (invocations + calls) * LOG_SHARE,
      price: PRICES.workerLog,
    },
    {
      name: "Queues: write, read, delete",
      perEvent: of("queue_messages") * OPERATIONS_PER_MESSAGE,
      price: PRICES.queueOperation,
    },
    { name: "D1: rows written", perEvent: of("d1_rows_written"), price: PRICES.d1RowWritten },
    { name: "D1: rows read", perEvent: of("d1_rows_read"), price: PRICES.d1RowRead },
    { name: "Durable Objects: calls", perEvent: calls, price: PRICES.objectRequest },
    {
      name: "Durable Objects: duration",
      perEvent: calls * (OBJECT_ACTIVE_MS / 1_000) * OBJECT_GB,
      price: PRICES.objectGbSecond,
    },
    {
      name: "Durable Objects: rows written",
      perEvent: of("durable_object_rows_written"),
      price: PRICES.objectRowWritten,
    },
    { name: "R2: puts", perEvent: of("r2_puts"), price: PRICES.r2ClassA },
    { name: "R2: gets", perEvent: of("r2_gets"), price: PRICES.r2ClassB },
  ];
}

const gbMonths = (bytes: number, days: number): number => (bytes * days) / DAYS_PER_MONTH / 1e9;

/** What is paid for it afterwards. */
export const keptItems = ({ ledgerBytes, archiveBytes }: Usage): Item[] => [
  {
    name: `R2: archive, ${ARCHIVE_DAYS} days`,
    perEvent: gbMonths(archiveBytes, ARCHIVE_DAYS),
    price: PRICES.r2GbMonth,
  },
  {
    name: `D1: ledger, ${LEDGER_DAYS} days`,
    perEvent: gbMonths(ledgerBytes, LEDGER_DAYS),
    price: PRICES.d1GbMonth,
  },
];

/**
 * Ten messages to a receive, a delete and an invocation; 10 ms of 128 MB to take an event and as much to
 * deliver it.
 */
const SQS_BATCH = 10;
const LAMBDA_GB_SECONDS = 0.01 * 0.125;
const LOG_BYTES = 500;

/** Function URL, bus, queue, consumer, and one write that makes it idempotent. No limits, ledger, archive. */
export const AWS_LEAN: readonly Item[] = [
  { name: "Lambda: webhooks", perEvent: 1, price: AWS_PRICES.lambdaRequest },
  { name: "Lambda: consumer", perEvent: 1 / SQS_BATCH, price: AWS_PRICES.lambdaRequest },
  { name: "Lambda: duration", perEvent: 2 * LAMBDA_GB_SECONDS, price: AWS_PRICES.lambdaGbSecond },
  { name: "EventBridge", perEvent: 1, price: AWS_PRICES.busEvent },
  { name: "SQS: send, receive, delete", perEvent: 1 + 2 / SQS_BATCH, price: AWS_PRICES.sqsRequest },
  { name: "DynamoDB: writes", perEvent: 1, price: AWS_PRICES.dynamoWrite },
];

/** The same behind an HTTP API, with claim, settle and limiter in DynamoDB, and half a KB of logs. */
export const AWS_FULL: readonly Item[] = [
  { name: "HTTP API", perEvent: 1, price: AWS_PRICES.httpApiRequest },
  ...AWS_LEAN.map((item) =>
    item.price === AWS_PRICES.dynamoWrite ? { ...item, perEvent: 3 } : item,
  ),
  { name: "CloudWatch Logs", perEvent: LOG_BYTES / 1e9, price: AWS_PRICES.logGb },
];
