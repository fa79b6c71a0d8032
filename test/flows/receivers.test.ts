/** What an isolate remembers of receivers: enough to be careful with them, and no more than has room. */
import { describe, expect, it } from "vitest";
import { GATE_QUIET_MS } from "../../src/core/gate-limits.ts";
import { LATE_PER_TARGET_MAX, LEASE_SECONDS, RECEIVERS_KNOWN_MAX } from "../../src/core/limits.ts";
import { createReceivers } from "../../src/flows/receivers.ts";

describe("receivers", () => {
  it("are in trouble until they have been quiet for a while, and not refused a gate before", () => {
    const receivers = createReceivers();
    receivers.failed("acme/a", 1_000);
    expect(receivers.isInTrouble("acme/a", 1_000 + GATE_QUIET_MS - 1)).toBe(true);
    expect(receivers.isInTrouble("acme/a", 1_000 + GATE_QUIET_MS)).toBe(false);
    expect(receivers.isInTrouble("acme/b", 1_000)).toBe(false);
  });

  it("are forgotten where there are too many, those first that failed longest ago", () => {
    const receivers = createReceivers();
    for (let at = 0; at < RECEIVERS_KNOWN_MAX; at += 1) receivers.failed(`acme/${at}`, at);
    receivers.failed("acme/0", RECEIVERS_KNOWN_MAX);
    receivers.failed("acme/new", RECEIVERS_KNOWN_MAX);
    const isKnown = (name: string) => receivers.isInTrouble(`acme/${name}`, RECEIVERS_KNOWN_MAX);
    expect([isKnown("0"), isKnown("1"), isKnown("2"), isKnown("new")]).toEqual([
      ...[true, false, true, true],
    ]);
  });

  it("take no more than there is room for, whatever else is forgotten of them", () => {
    const receivers = createReceivers();
    const ends = Array.from({ length: LATE_PER_TARGET_MAX }, () => receivers.began("acme/slow", 0));
    for (let at = 0; at < RECEIVERS_KNOWN_MAX; at += 1) receivers.began(`acme/${at}`, 0)();
    expect(receivers.hasRoom("acme/slow", 1)).toBe(false);
    for (const end of ends) end();
    expect(receivers.hasRoom("acme/slow", 1)).toBe(true);
  });

  it("have room again for what nobody ended, when its claim has ended, and count it once only", () => {
    const receivers = createReceivers();
    const beganAtMs = [0, 1_000];
    const [first] = beganAtMs.map((atMs) =>
      Array.from({ length: LATE_PER_TARGET_MAX / 2 }, () => receivers.began("acme/slow", atMs)),
    );
    const leaseMs = LEASE_SECONDS * 1_000;
    expect(receivers.hasRoom("acme/slow", leaseMs - 1)).toBe(false);
    expect(receivers.hasRoom("acme/slow", leaseMs)).toBe(true);
    // They end after all: the room of the others is not theirs.
    for (const end of first ?? []) end();
    for (let at = 0; at < LATE_PER_TARGET_MAX / 2; at += 1) receivers.began("acme/slow", leaseMs);
    expect(receivers.hasRoom("acme/slow", leaseMs)).toBe(false);
    expect(receivers.hasRoom("acme/slow", leaseMs + 1_000)).toBe(true);
  });
});
