CREATE TABLE `replays` (
	`tenant` text NOT NULL,
	`id` text NOT NULL,
	`query` text NOT NULL,
	`state` text NOT NULL,
	`rev` integer DEFAULT 0 NOT NULL,
	`checkpoint` text NOT NULL,
	`reached_at` integer,
	`examined` integer DEFAULT 0 NOT NULL,
	`deliveries` integer DEFAULT 0 NOT NULL,
	`unreadable_bytes` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `replays_running` ON `replays` (`updated_at`) WHERE state = 'running';--> statement-breakpoint
ALTER TABLE `deliveries_0` ADD `replay` text;--> statement-breakpoint
CREATE INDEX `deliveries_0_replay` ON `deliveries_0` (`replay`) WHERE replay IS NOT NULL;--> statement-breakpoint
ALTER TABLE `deliveries_1` ADD `replay` text;--> statement-breakpoint
CREATE INDEX `deliveries_1_replay` ON `deliveries_1` (`replay`) WHERE replay IS NOT NULL;--> statement-breakpoint
ALTER TABLE `deliveries_2` ADD `replay` text;--> statement-breakpoint
CREATE INDEX `deliveries_2_replay` ON `deliveries_2` (`replay`) WHERE replay IS NOT NULL;