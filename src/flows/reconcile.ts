/**
 * Reconciliation: the archive and the ledger of a slice of time are compared, and what one of them lacks is
 * mended from the other. One bounded pass; the next goes on where this one stopped.
 */
import type { ArchiveKind } from "../core/archive-keys.ts";
import { RECONCILE_PAGE } from "../core/archive-limits.ts";
import { type Archived, compare } from "./reconcile-events.ts";
import {
  isPresent,
  mayGoOn,
  note,
  type Pass,
  passOf,
  RECONCILE_PHASES,
  type ReconcileCursor,
  type Reconciled,
  type ReconcilePorts,
  type ReconcileRequest,
} from "./reconcile-pass.ts";

export async function reconcile(
  request: ReconcileRequest,
  ports: ReconcilePorts,
): Promise<Reconciled> {
  const pass = passOf(request, ports);
  const { result } = pass;
  let at = request.cursor ?? (await tenantAfter("", pass));
  while (at !== null && mayGoOn(pass)) {
    const after: string | null = await step(at, pass);
    at = after === null ? await phaseAfter(at, pass) : { ...at, after };
  }
  result.cursor = at;
  const { segments, events } = result;
  if (Object.values(result.mended).some((count) => count > 0)) {
    ports.log.info("reconciled", { segments, events, ...result.mended });
  }
  return result;
}

async function phaseAfter(at: ReconcileCursor, pass: Pass): Promise<ReconcileCursor | null> {
  const phase = RECONCILE_PHASES[RECONCILE_PHASES.indexOf(at.phase) + 1];
  if (phase !== undefined) return { tenant: at.tenant, phase, after: null };
  return pass.request.tenant === null ? tenantAfter(at.tenant, pass) : null;
}

async function tenantAfter(after: string, pass: Pass): Promise<ReconcileCursor | null> {
  const { request, ports } = pass;
  if (request.tenant === null) pass.callsLeft -= 1;
  const tenant = request.tenant ?? (await ports.config.tenants(after, 1)).items[0]?.id;
  return tenant === undefined ? null : { tenant, phase: "segments", after: null };
}

/** A page of one phase; answers where the phase goes on, or null when it is done. */
const step = ({ tenant, phase, after }: ReconcileCursor, pass: Pass): Promise<string | null> =>
  phase === "settled" ? lookForBytes(tenant, after, pass) : readObjects(phase, tenant, after, pass);

/** From the archive's side: what lies there, does the ledger know it? */
async function readObjects(
  kind: ArchiveKind,
  tenant: string,
  after: string | null,
  pass: Pass,
): Promise<string | null> {
  const { ports, request, result } = pass;
  pass.callsLeft -= 1;
  const page = await ports.listing.list(kind, tenant, request.range, after, pass.objectsLeft);
  const archived: Archived[] = [];
  let next = page.next;
  for (const [at, { key, bytes }] of page.items.entries()) {
    if (at > 0 && (pass.bytesLeft <= 0 || pass.callsLeft <= 0)) break;
    pass.objectsLeft -= 1;
    pass.callsLeft -= 1;
    result.segments += 1;
    archived.push(...(await (kind === "big" ? bigFrame(key, bytes, pass) : framesOf(key, pass))));
    if (kind === "segments") pass.bytesLeft -= bytes;
    next = key === page.items.at(-1)?.key ? page.next : key;
  }
  const { fromMs, untilMs } = request.range;
  const inSlice = archived.filter(
    ({ record }) =>
      record.tenant === tenant && record.receivedAtMs >= fromMs && record.receivedAtMs < untilMs,
  );
  if (inSlice.length > 0) await compare(tenant, inSlice, pass);
  return next;
}

async function framesOf(key: string, { ports }: Pass): Promise<Archived[]> {
  const content = await ports.listing.frames(key);
  return (content?.frames ?? []).map(({ frame, pointer }) => {
    return { record: frame.record, pointer, frame };
  });
}

async function bigFrame(key: string, bytes: number, { ports }: Pass): Promise<Archived[]> {
  const pointer = { segment: key, offset: 0, length: bytes };
  const meta = await ports.archive.meta(pointer);
  return meta === null ? [] : [{ record: meta.record, pointer, frame: null }];
}

/** From the ledger's side: are the bytes there that its rows name? */
async function lookForBytes(
  tenant: string,
  after: string | null,
  pass: Pass,
): Promise<string | null> {
  const { ports, request } = pass;
  const [time, id = ""] = (after ?? "").split(" ");
  const position = after === null ? null : { receivedAtMs: Number(time), id };
  pass.callsLeft -= 1;
  const page = await ports.audit.settled(tenant, request.range, position, RECONCILE_PAGE);
  for (const { id: event, receivedAtMs, isLeased, pointer } of page) {
    const isElsewhere = pass.seen.has(`bytes-elsewhere ${event}`);
    if (isLeased || isElsewhere || (await isPresent(pointer.segment, pass))) continue;
    const { segment } = pointer;
    note({ kind: "bytes-missing", tenant, event, receivedAtMs, segment, mended: false }, pass);
  }
  const last = page.at(-1);
  return last === undefined || page.length < RECONCILE_PAGE
    ? null
    : `${last.receivedAtMs} ${last.id}`;
}
