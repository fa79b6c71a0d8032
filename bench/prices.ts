/** List prices in US dollars, each with its unit and where it was read; included allowances are ignored. */

export interface Price {
  readonly usd: number;
  readonly per: number;
  readonly unit: string;
  readonly source: string;
}

/** When the pages below were read. Prices change: read them again before you quote a sum. */
export const READ_ON = "2026-11-21";

const MILLION = 1_000_000;
const perMillion = (usd: number, unit: string, source: string): Price => {
  return { usd, per: MILLION, unit, source };
};
const perOne = (usd: number, unit: string, source: string): Price => ({
  usd,
  per: 1,
  unit,
  source,
});

const CLOUDFLARE = "https://developers.cloudflare.com";
const WORKERS = `${CLOUDFLARE}/workers/platform/pricing/`;
const LOGS = `${CLOUDFLARE}/workers/observability/logs/workers-logs/#pricing`;
const QUEUES = `${CLOUDFLARE}/queues/platform/pricing/`;
const D1 = `${CLOUDFLARE}/d1/platform/pricing/`;
const OBJECTS = `${CLOUDFLARE}/durable-objects/platform/pricing/`;
const R2 = `${CLOUDFLARE}/r2/pricing/`;

export const PRICES = {
  workerRequest: perMillion(0.3, "requests", WORKERS),
  workerCpuMs: perMillion(0.02, "CPU ms", WORKERS),
  /** Until 30 November 2026. */
  workerLog: perMillion(0.6, "log lines", LOGS),
  /** Each 64 KB of a message that is written, read or deleted. */
  queueOperation: perMillion(0.4, "operations", QUEUES),
  d1RowWritten: perMillion(1, "rows", D1),
  d1RowRead: perMillion(0.001, "rows", D1),
  d1GbMonth: perOne(0.75, "GB-months", D1),
  objectRequest: perMillion(0.15, "requests", OBJECTS),
  objectGbSecond: perMillion(12.5, "GB-s", OBJECTS),
  objectRowWritten: perMillion(1, "rows", OBJECTS),
  /** Since 10 August 2026, as the changelog of 7 July 2026 has it: $0.80 per 100,000. */
  workflowStep: perMillion(8, "steps", `${CLOUDFLARE}/changelog/product/workflows/`),
  r2ClassA: perMillion(4.5, "operations", R2),
  r2ClassB: perMillion(0.36, "operations", R2),
  r2GbMonth: perOne(0.015, "GB-months", R2),
} as const satisfies Readonly<Record<string, Price>>;

const AWS = "https://aws.amazon.com";

/** us-east-1, on demand. */
export const AWS_PRICES = {
  httpApiRequest: perMillion(1, "requests", `${AWS}/api-gateway/pricing/`),
  busEvent: perMillion(1, "events", `${AWS}/eventbridge/pricing/`),
  sqsRequest: perMillion(0.4, "requests", `${AWS}/sqs/pricing/`),
  lambdaRequest: perMillion(0.2, "requests", `${AWS}/lambda/pricing/`),
  lambdaGbSecond: perMillion(16.67, "GB-s", `${AWS}/lambda/pricing/`),
  dynamoWrite: perMillion(0.625, "writes", `${AWS}/dynamodb/pricing/on-demand/`),
  stepTransition: perMillion(25, "transitions", `${AWS}/step-functions/pricing/`),
  expressRequest: perMillion(1, "requests", `${AWS}/step-functions/pricing/`),
  /** The first 1,000 GB-hours of a month; less after them. */
  expressGbSecond: perMillion(16.67, "GB-s", `${AWS}/step-functions/pricing/`),
  logGb: perOne(0.5, "GB", `${AWS}/cloudwatch/pricing/`),
} as const satisfies Readonly<Record<string, Price>>;

/** So much of something for each event. */
export interface Item {
  readonly name: string;
  readonly perEvent: number;
  readonly price: Price;
}

/** Dollars for a million events. */
export const usdOf = ({ perEvent, price }: Item): number =>
  (perEvent * MILLION * price.usd) / price.per;

export const sumUsd = (items: readonly Item[]): number =>
  items.reduce((sum, item) => sum + usdOf(item), 0);
