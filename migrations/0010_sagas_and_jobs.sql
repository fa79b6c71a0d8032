CREATE TABLE `saga_versions` (
	`tenant` text NOT NULL,
	`id` text NOT NULL,
	`version` integer NOT NULL,
	`doc` text,
	`changed_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `id`, `version`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `saga_versions`(`tenant`, `id`, `version`, `doc`, `changed_at`)
SELECT `tenant`, `id`, `version`, `doc`, `updated_at` FROM `resources` WHERE `kind` = 'saga';
--> statement-breakpoint
CREATE TABLE `__new_saga_instances` (
	`tenant` text NOT NULL,
	`id` text NOT NULL,
	`saga` text NOT NULL,
	`version` integer NOT NULL,
	`key` text NOT NULL,
	`correlation_id` text,
	`status` text NOT NULL,
	`paused` integer NOT NULL,
	`step` text,
	`reason` text,
	`rev` integer NOT NULL,
	`due_at` integer,
	`started_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `started_at`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `__new_saga_instances`("tenant", "id", "saga", "version", "key", "correlation_id", "status", "paused", "step", "reason", "rev", "due_at", "started_at", "updated_at") SELECT "tenant", "id", "saga", "version", "key", "correlation_id", "status", "paused", "step", "reason", "rev", "due_at", "started_at", "updated_at" FROM `saga_instances`;--> statement-breakpoint
DROP TABLE `saga_instances`;--> statement-breakpoint
ALTER TABLE `__new_saga_instances` RENAME TO `saga_instances`;--> statement-breakpoint
CREATE INDEX `saga_instances_correlation` ON `saga_instances` (`tenant`,`correlation_id`,`started_at`,`id`) WHERE correlation_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `saga_instances_due` ON `saga_instances` (`due_at`) WHERE due_at IS NOT NULL;--> statement-breakpoint
ALTER TABLE `jobs` ADD `command_id` text;--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_command` ON `jobs` (`tenant`,`command_id`) WHERE command_id IS NOT NULL;