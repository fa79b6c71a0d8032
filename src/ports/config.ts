/** The configuration as operators edit it. Every change gives the tenant a new revision. */
import type { ResourceKind, Secrets } from "../core/resources.ts";

export interface StoredTenant {
  readonly id: string;
  /** The document's JSON text. */
  readonly doc: string;
  readonly revision: number;
  /** The revision at the last change of the tenant itself; the ETag. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface StoredResource {
  readonly id: string;
  /** The document's JSON text, numbers spelt as they were sent. */
  readonly doc: string;
  /** The secrets that are sealed with it; null also when the key is missing. */
  readonly secrets: Secrets | null;
  /** For each of them, in order, the names by which its uses were counted, that of now first. */
  readonly secretIds: readonly (readonly string[])[];
  /** The key that its secrets are sealed under and that the router does not hold. */
  readonly lockedBy: string | null;
  /** The tenant's revision at the last change; the ETag. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** The version a change asks for: one, "any" for whatever is there, or null for no condition. */
export type IfVersion = number | "any" | null;

/** What no version is, since each is a revision: a change that asks for it is refused. */
export const NO_VERSION = -1;

export type Written =
  | { readonly kind: "written"; readonly created: boolean; readonly revision: number }
  /** `If-Match` named another version, or one of a resource that does not exist. */
  | { readonly kind: "version-differs"; readonly version: number | null }
  /** A new rule, of a tenant that has so many already. */
  | { readonly kind: "too-many-rules"; readonly rulesMax: number }
  | { readonly kind: "tenant-unknown" };

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page starts; null at the end. */
  readonly after: string | null;
}

export interface ConfigStore {
  tenant(id: string): Promise<StoredTenant | null>;
  tenants(after: string, count: number): Promise<Page<StoredTenant>>;
  putTenant(id: string, doc: string, ifVersion: IfVersion): Promise<Written>;
  /** Deletes the tenant with its configuration, and begins the job that removes all else of it. */
  deleteTenant(id: string, ifVersion: IfVersion, job: string): Promise<Written>;
  resource(tenant: string, kind: ResourceKind, id: string): Promise<StoredResource | null>;
  resources(
    tenant: string,
    kind: ResourceKind,
    after: string,
    count: number,
  ): Promise<Page<StoredResource>>;
  /** `secrets` undefined keeps those that are sealed; "none" is for what must not be there yet. */
  putResource(
    tenant: string,
    kind: ResourceKind,
    id: string,
    value: { doc: string; secrets: Secrets | null | undefined },
    ifVersion: IfVersion | "none",
  ): Promise<Written>;
  deleteResource(
    tenant: string,
    kind: ResourceKind,
    id: string,
    ifVersion: IfVersion,
  ): Promise<Written | { readonly kind: "absent" }>;
}
