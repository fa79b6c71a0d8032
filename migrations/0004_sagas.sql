CREATE TABLE `saga_instances` (
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
	PRIMARY KEY(`tenant`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `saga_instances_time` ON `saga_instances` (`tenant`,`started_at`,`id`);--> statement-breakpoint
CREATE INDEX `saga_instances_correlation` ON `saga_instances` (`tenant`,`correlation_id`,`started_at`,`id`) WHERE correlation_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `saga_instances_due` ON `saga_instances` (`due_at`) WHERE due_at IS NOT NULL;