/** Keys of the secrets at rest: which are in use, and the job that lets an old one go. */
import * as z from "zod";
import { timeOrderedId } from "../../src/core/ids.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { JobAnswer, jobView } from "./jobs.ts";
import { type Operation, operation } from "./operation.ts";
import { Count } from "./schemas.ts";

const KeyAnswer = z.object({
  id: z.string().describe("The beginning of the key's hash."),
  role: z
    .enum(["current", "old", "missing"])
    .describe("Seals and opens; opens only, from ENCRYPTION_KEYS_OLD; needed and not there."),
  resources: Count.describe("Whose secrets are sealed under it."),
  removable: z
    .boolean()
    .describe("Nothing is sealed under it: it may go from ENCRYPTION_KEYS_OLD."),
});

export const encryptionOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/encryption",
    summary: "Which keys the sealed secrets need, and which old one may be removed.",
    responses: { 200: "The keys." },
    answer: z.object({ items: z.array(KeyAnswer) }),
    async handle({ stores: { encryption } }) {
      const sealed = new Map(
        (await encryption.census()).map(({ keyId, secrets }) => [keyId, secrets]),
      );
      const { keyId, oldKeyIds } = encryption;
      const held = [keyId, ...oldKeyIds];
      const missing = [...sealed.keys()].filter((id) => !held.includes(id));
      const items = [...held, ...missing].map((id): z.infer<typeof KeyAnswer> => {
        const role = id === keyId ? "current" : held.includes(id) ? "old" : "missing";
        const resources = sealed.get(id) ?? 0;
        return { id, role, resources, removable: role === "old" && resources === 0 };
      });
      return { status: 200, body: { items } };
    },
  }),
  operation({
    method: "post",
    path: "/admin/encryption/reseal",
    recorded: "with-change",
    summary: "Seals all secrets anew with ENCRYPTION_KEY, as a job that goes on by itself.",
    responses: { 202: "The job, or the one that is under way; `location` names it." },
    answer: JobAnswer,
    async handle({ app, stores, defer }) {
      const { clock, random } = app.deliver;
      const id = timeOrderedId("job_", clock.nowMs(), random.bytes(10));
      const job = jobView(await stores.encryption.begin(id));
      defer(sweep("overdue", app.deliver));
      return { status: 202, body: job, location: `/admin/jobs/${job.id}` };
    },
  }),
];
