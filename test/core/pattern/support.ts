/** Short ways from texts to patterns and events, for tests that are about something else. */
import { type Json, parseJson, parseJsonDocument } from "../../../src/core/json.ts";
import {
  matchesPattern,
  type ParsedPattern,
  type Pattern,
  parsePattern,
} from "../../../src/core/pattern/index.ts";

export function parse(text: string): ParsedPattern {
  const document = parseJsonDocument(text);
  if (!document.ok) throw new Error(`${document.expected} expected: ${text}`);
  return parsePattern(document.value, document.duplicates);
}

export function patternOf(text: string): Pattern {
  const parsed = parse(text);
  if (!parsed.ok) throw new Error(`${text}: ${JSON.stringify(parsed.issues)}`);
  return parsed.pattern;
}

export function eventOf(text: string): Json {
  const parsed = parseJson(text, { depthMax: 1_000 });
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${parsed.offset}`);
  return parsed.value;
}

export function matches(pattern: string, event: string): boolean {
  return matchesPattern(patternOf(pattern), eventOf(event));
}
