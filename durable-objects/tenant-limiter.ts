/**
 * One per tenant: the single writer of its rate limits, and the place that knows its rules' newest
 * revision. Tokens are leased in lots, so a busy tenant costs a few calls per second, not one an event.
 */
import { DurableObject } from "cloudflare:workers";
import type { Rate } from "../src/core/admit/gcra.ts";
import { grantLease } from "../src/core/admit/lease.ts";
import { noted, noUsage, type ScopeUsage, type Usage, usageOf } from "../src/core/admit/usage.ts";
import { LEASE_TTL_MS, SECRET_USE_TOLD_MS } from "../src/core/limits.ts";
import { addMatches, type ShadowMatches } from "../src/core/shadow.ts";
import type { Env } from "../src/env.ts";
import type { LeaseAnswer, LeaseAsk, LeaseRequest } from "../src/ports/limiter.ts";
import { counted } from "./counted.ts";

const NOTHING = { admitted: 0, refused: 0, demoted: 0 };

export class TenantLimiter extends DurableObject<Env> {
  readonly #sql: SqlStorage;
  #revision = 0;
  readonly #arrivals = new Map<string, number>();
  /** Of which an object that was stopped knows nothing. */
  readonly #usage = new Map<string, Usage>();
  readonly #secretsUsed = new Map<string, number>();
  readonly #shadows = new Map<string, ShadowMatches>();

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS buckets (scope TEXT PRIMARY KEY, arrival_ms REAL NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, used_at INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS shadows (
        rule TEXT PRIMARY KEY, version INTEGER NOT NULL, matched INTEGER NOT NULL,
        lastMatchedAtMs INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS revision (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)`);
    for (const row of this.#sql.exec<{ value: number }>("SELECT value FROM revision")) {
      this.#revision = row.value;
    }
    for (const row of this.#sql.exec<{ scope: string; arrival_ms: number }>(
      "SELECT * FROM buckets",
    )) {
      this.#arrivals.set(row.scope, row.arrival_ms);
    }
    for (const row of this.#sql.exec<{ name: string; used_at: number }>("SELECT * FROM secrets")) {
      this.#secretsUsed.set(row.name, row.used_at);
    }
    for (const row of this.#sql.exec<ShadowMatches & Record<string, SqlStorageValue>>(
      "SELECT * FROM shadows",
    )) {
      this.#shadows.set(row.rule, row);
    }
  }

  /** Grants tokens for each scope asked for; the answer always carries the newest known revision. */
  lease(request: LeaseRequest): LeaseAnswer {
    const now = Date.now();
    this.#learnRevision(request.revision);
    this.#noteSecrets(request.secretsUsed, now);
    for (const told of request.shadowMatches ?? []) this.#noteShadow(told);
    return {
      revision: this.#revision,
      ttlMs: LEASE_TTL_MS,
      grants: this.#grantInTurn(request.asks, now),
    };
  }

  usage(scopes: readonly { readonly scope: string; readonly rate: Rate }[]): ScopeUsage[] {
    const now = Date.now();
    return scopes.map(({ scope, rate }) => {
      const known = this.#usage.get(scope) ?? noUsage(now);
      return usageOf(scope, known, rate, this.#arrivals.get(scope) ?? 0, now);
    });
  }

  announce(revision: number): void {
    this.#learnRevision(revision);
  }

  secretsLastUsed(): Record<string, number> {
    return Object.fromEntries(this.#secretsUsed);
  }

  /** What is known of a secret under both names is the later of the two. */
  renameSecrets(names: Readonly<Record<string, string>>): void {
    this.ctx.storage.transactionSync(() => {
      for (const [old, now] of Object.entries(names)) {
        const usedAt = this.#secretsUsed.get(old);
        if (usedAt === undefined) continue;
        this.#secretsUsed.delete(old);
        counted(this.#sql, "DELETE FROM secrets WHERE name = ?1", old);
        this.#writeSecret(now, Math.max(usedAt, this.#secretsUsed.get(now) ?? 0));
      }
    });
  }

  shadowMatches(): ShadowMatches[] {
    return [...this.#shadows.values()];
  }

  /** The revision stays: an isolate that still knows the tenant learns by it that it is gone. */
  forget(): void {
    this.#arrivals.clear();
    this.#usage.clear();
    this.#secretsUsed.clear();
    this.#shadows.clear();
    this.#sql.exec("DELETE FROM buckets; DELETE FROM secrets; DELETE FROM shadows");
  }

  /** A source that is over its own limit must not use up its tenant's. */
  #grantInTurn(asks: readonly LeaseAsk[], now: number): LeaseAnswer["grants"] {
    const grants = [];
    for (const ask of asks) {
      const grant = this.#grant(ask, now);
      grants.push(grant);
      if (grant.granted === 0) break;
    }
    return grants;
  }

  #grant(ask: LeaseAsk, now: number): LeaseAnswer["grants"][number] {
    const { scope } = ask;
    const grant = grantLease(ask, this.#arrivals.get(scope) ?? 0, now, LEASE_TTL_MS);
    const { granted, retryAfterMs, arrivalMs } = grant;
    this.#arrivals.set(scope, arrivalMs);
    const known = this.#usage.get(scope) ?? noUsage(now);
    const deniedMs = granted === 0 ? retryAfterMs : null;
    this.#usage.set(scope, noted(known, ask.told ?? NOTHING, deniedMs, now));
    if (granted > 0) {
      counted(
        this.#sql,
        `INSERT INTO buckets VALUES (?1, ?2)
         ON CONFLICT (scope) DO UPDATE SET arrival_ms = excluded.arrival_ms`,
        scope,
        arrivalMs,
      );
    }
    return { scope, granted, retryAfterMs };
  }

  /** Revisions only rise; an isolate that read a newer one than was announced teaches it here. */
  #learnRevision(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    counted(
      this.#sql,
      "INSERT INTO revision VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
      revision,
    );
  }

  #noteSecrets(names: readonly string[], now: number): void {
    for (const name of names) {
      if (now - (this.#secretsUsed.get(name) ?? 0) < SECRET_USE_TOLD_MS) continue;
      this.#writeSecret(name, now);
    }
  }

  #writeSecret(name: string, usedAt: number): void {
    this.#secretsUsed.set(name, usedAt);
    counted(
      this.#sql,
      `INSERT INTO secrets VALUES (?1, ?2)
       ON CONFLICT (name) DO UPDATE SET used_at = excluded.used_at`,
      name,
      usedAt,
    );
  }

  #noteShadow(told: ShadowMatches): void {
    if (!addMatches(this.#shadows, told)) return;
    const { rule, version, matched, lastMatchedAtMs } = this.#shadows.get(told.rule) ?? told;
    counted(
      this.#sql,
      "INSERT OR REPLACE INTO shadows VALUES (?1, ?2, ?3, ?4)",
      ...[rule, version, matched, lastMatchedAtMs],
    );
  }
}
