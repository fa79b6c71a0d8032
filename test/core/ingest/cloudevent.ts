/** A small CloudEvent in each mode, and the faults of variations of it. */
import { faultsOf } from "./request.ts";

export const STRUCTURED = { "content-type": "application/cloudevents+json; charset=UTF-8" };
export const BATCH = { "content-type": "application/cloudevents-batch+json" };
export const REQUIRED = {
  specversion: "1.0",
  id: "A234-1234",
  source: "/mycontext",
  type: "com.acme.made",
};
export const BINARY = {
  "ce-specversion": "1.0",
  "ce-id": "A234-1234",
  "ce-source": "/mycontext",
  "ce-type": "com.acme.made",
};

export const structured = (more: object = {}) => JSON.stringify({ ...REQUIRED, ...more });
export const structuredFaults = (more: object) => faultsOf(STRUCTURED, structured(more));
export const without = (name: keyof typeof REQUIRED) => {
  const { [name]: _, ...rest } = REQUIRED;
  return rest;
};
