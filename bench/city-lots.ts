/**
 * Events like those of event-ruler's citylots2, made here because that file is not to be had: fields and
 * nesting are the same, about 700 bytes each; and banks of rules over them, one for each way to match.
 */
import { type Json, type JsonObject, stringifyJson } from "../src/core/json.ts";
import { type Pattern, parsePattern } from "../src/core/pattern/index.ts";

/** So many lots there are; an event is about one of them. */
const LOTS = 200_000;
const STREETS = 5_000;

/** Spreads `at` over `range`, so that neighbours are far apart. */
const scattered = (at: number, range: number): number => ((at + 1) * 7_919) % range;
const digits = (number: number, width: number): string => String(number).padStart(width, "0");

/** Begins and ends differently from lot to lot, as parcel numbers do. */
const lotOf = (at: number): string => {
  const number = scattered(at, LOTS);
  return `${digits(number, 6)}${"ABCDEFGHJKLMNPQRSTUVWXYZ"[number % 24]}${digits((number * 31) % 1_000, 3)}`;
};
const streetOf = (at: number): string => `Street ${digits(scattered(at, STREETS), 4)} Of The Hills`;
/** Longitudes 0.000001 degrees apart, in seven decimals; each lot has its own. */
const longitudeOf = (at: number, turn = 0): number =>
  (-1_220_000_000 - scattered(at, LOTS) * 10 - turn) / 1e7;
const addressOf = (at: number): string => {
  const number = scattered(at, LOTS);
  return `10.${Math.floor(number / 65_536)}.${Math.floor(number / 256) % 256}.${number % 256}`;
};

export function cityLot(at: number): JsonObject {
  const point = (turn: number) => ({
    x: longitudeOf(at, turn),
    y: (377_000_000 + scattered(at, 10_000) + turn) / 1e7,
    z: turn % 2,
  });
  return {
    type: "Feature",
    properties: {
      MAPBLKLOT: lotOf(at),
      BLKLOT: lotOf(at),
      BLOCK_NUM: digits(Math.floor(scattered(at, LOTS) / 50), 4),
      LOT_NUM: digits(at % 1_000, 3),
      FROM_ST: String((at * 13) % 4_000),
      TO_ST: String((at * 13) % 4_000),
      STREET: streetOf(at),
      ST_TYPE: at % 7 === 0 ? null : "ST",
      ODD_EVEN: at % 2 === 0 ? "E" : "O",
      READER: addressOf(at),
    },
    geometry: {
      type: "Polygon",
      firstCoordinates: point(0),
      coordinates: [[0, 1, 2, 3, 4, 5, 6, 7, 0].map(point)],
    },
  };
}

export interface Bank {
  readonly name: string;
  /** What most of the events have to pass by; unbounded output is the exception. */
  readonly isBoundByOutput?: true;
  pattern(at: number, count: number): Json;
}

const lot = (candidate: Json): Json => ({ properties: { MAPBLKLOT: [candidate] } });

export function rulesOf(bank: Bank, count: number): { id: string; pattern: Pattern }[] {
  return Array.from({ length: count }, (_, at) => ruleOf(at, bank.pattern(at, count)));
}

export function ruleOf(at: number, pattern: Json): { id: string; pattern: Pattern } {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) throw new Error(`${stringifyJson(pattern)} is no pattern.`);
  return { id: `rule-${at}`, pattern: parsed.pattern };
}

/** The number of rules decides how narrow they are where each event would else match more of them. */
export const BANKS: readonly Bank[] = [
  { name: "EXACT", pattern: (at) => lot(lotOf(at)) },
  { name: "PREFIX", pattern: (at) => lot({ prefix: lotOf(at).slice(0, 6) }) },
  { name: "SUFFIX", pattern: (at) => lot({ suffix: lotOf(at).slice(4) }) },
  {
    name: "EQUALS-IGNORE-CASE",
    pattern: (at) => lot({ "equals-ignore-case": lotOf(at).toLowerCase() }),
  },
  {
    name: "NUMERIC =",
    pattern: (at) => ({
      geometry: { firstCoordinates: { x: [{ numeric: ["=", longitudeOf(at)] }] } },
    }),
  },
  {
    name: "NUMERIC range",
    pattern(at, count) {
      const width = 0.2 / count;
      const from = -122.2 + at * width;
      return {
        geometry: { firstCoordinates: { x: [{ numeric: [">=", from, "<", from + width] }] } },
      };
    },
  },
  {
    name: "ANYTHING-BUT",
    isBoundByOutput: true,
    pattern: (at) => lot({ "anything-but": [lotOf(at)] }),
  },
  {
    name: "ANYTHING-BUT AND exact",
    pattern: (at) => ({
      properties: { STREET: [{ "anything-but": [streetOf(at + 1)] }], MAPBLKLOT: [lotOf(at)] },
    }),
  },
  {
    name: "WILDCARD",
    pattern: (at) => lot({ wildcard: `${lotOf(at).slice(0, 4)}*${lotOf(at).slice(-3)}` }),
  },
  {
    name: "COMPLEX arrays",
    pattern: (at) => ({
      geometry: {
        type: ["Polygon"],
        coordinates: { x: [{ numeric: ["=", longitudeOf(at)] }], z: [0] },
      },
    }),
  },
  {
    name: "CIDR",
    pattern: (at) => ({ properties: { READER: [{ cidr: `${addressOf(at)}/31` }] } }),
  },
  {
    name: "ROUTER",
    pattern: (at) => ({
      type: ["Feature"],
      properties: { STREET: [{ prefix: streetOf(at).slice(0, 11) }], MAPBLKLOT: [lotOf(at)] },
    }),
  },
];
