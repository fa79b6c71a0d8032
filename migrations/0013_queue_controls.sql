CREATE TABLE `queue_controls` (
	`queue` text PRIMARY KEY NOT NULL,
	`paused` integer NOT NULL,
	`concurrency` integer,
	`delay_seconds` integer NOT NULL,
	`paused_at` integer,
	`changed_at` integer NOT NULL,
	`version` integer NOT NULL
) WITHOUT ROWID;
