/** Limits of sagas, each with its reason. */

/** Steps of a saga, those of its branches included; with retries and a person's commands within 10,000 entries. */
export const SAGA_STEPS_MAX = 200;
/** A request's body as a template, in characters; what is rendered may have as many bytes. */
export const SAGA_BODY_BYTES_MAX = 262_144;
/** A row of a Durable Object has 2 MB at most (SQLite storage limits); the first one has definition and input. */
export const SAGA_DOC_BYTES_MAX = 500_000;
/** Of each saga, the newest: an instance that runs by an older one has it in its journal. */
export const SAGA_VERSIONS_MAX = 50;
/** URL and headers of a rendered request, in characters: a Worker's own limits are 16 KB for each URL and header. */
export const SAGA_HEAD_CHARACTERS_MAX = 16_384;
/** What starts an instance, or comes to one as an event, as JSON. */
export const SAGA_INPUT_BYTES_MAX = 1_000_000;
/** Of what is written together; a character has three bytes at most. */
export const SAGA_ROW_CHARACTERS_MAX = 500_000;
/** Of a step's answer that later steps may refer to; a longer one is not kept. */
export const SAGA_OUTPUT_BYTES_MAX = 65_536;
/** One attempt of a step that names neither a timeout nor a target. */
export const SAGA_TIMEOUT_MS_DEFAULT = 10_000;
/**
 * A step whose target is closed, or whose gate has no room, asks again after a quarter of the time that it has
 * waited by now, within these bounds: soon at first, and not for ever every minute.
 */
export const SAGA_CLOSED_MS_MIN = 10_000;
export const SAGA_GATED_MS_MIN = 1_000;
export const SAGA_HELD_MS_MAX = 900_000;
/** Of an event that a step publishes. */
export const SAGA_SUBJECT_CHARACTERS_MAX = 1_024;
/**
 * An event that a step or a target publishes may lead to another one that is published: so often at most. A chain
 * that is meant is shorter; one that goes round in a circle ends.
 */
export const SAGA_HOPS_MAX = 10;
/** A saga may start one that starts one: so deep at most. What starts itself without an end, ends. */
export const SAGA_DEPTH_MAX = 5;
/** A child tells its parent that it has ended; one that is not heard of is asked after this time. */
export const SAGA_CHILD_POLL_MS = 3_600_000;
/** Of what a callback says went wrong. */
export const SAGA_ERROR_CHARACTERS_MAX = 1_000;
/** A client's name for a command: room for two ids side by side. */
export const SAGA_COMMAND_ID_CHARACTERS_MAX = 128;
/** Rows of one instance's journal: a saga of 200 steps with all its retries has fewer. */
export const SAGA_JOURNAL_ROWS_MAX = 10_000;
/** An alarm this far ahead stands behind every drive; what a dead process left is taken up then. */
export const SAGA_WATCHDOG_MS = 10_000;
/** An index that did not answer is told again after this time. */
export const SAGA_INDEX_RETRY_MS = 30_000;
/** An instance that is in the index but has not begun is asked after this time. */
export const SAGA_STARTING_MS = 60_000;
/** Instances of one correlation id that an event is given to: pages of the index, a call to an object for each one. */
export const SAGA_CORRELATED_PAGE = 100;
export const SAGA_CORRELATED_MAX = 500;
/** Instances that one sweep looks at, of so many that are overdue. */
export const SAGA_SWEEP_PAGE = 100;
export const SAGA_SWEEP_SEEN_MAX = 1_000;
/** … and the one after a restart, which only the local engine has: no bound on subrequests holds there. */
export const SAGA_RECOVER_PAGE = 1_000;
/** Turns of a dry run: a saga of 200 steps with ten attempts each has fewer; what it answers, in characters. */
export const SAGA_TEST_TURNS_MAX = 5_000;
export const SAGA_TEST_CHARACTERS_MAX = 2_000_000;
/** Answers written down for one step; events, and commands. */
export const SAGA_TEST_MOCKS_MAX = 100;
/** Instances that one command to many may reach: more want a narrower query, so that a person sees what is meant. */
export const SAGA_BULK_MAX = 10_000;
/** Ids that a preview of it names. */
export const SAGA_BULK_NAMED_MAX = 20;
/** Jobs that share one pass; its pages, a call to an object per instance, within a Worker's 1,000 subrequests. */
export const SAGA_JOBS_MAX = 5;
export const SAGA_JOB_PAGE = 50;
export const SAGA_JOB_PAGES_MAX = 10;
/** Reasons that a job tells apart, and the instances that each one names. */
export const SAGA_REFUSALS_MAX = 20;
export const SAGA_REFUSED_NAMED_MAX = 10;
/** What is in the index and never began is forgotten after this time: nobody is told of it any more. */
export const SAGA_NEVER_BEGUN_MS = 86_400_000;
