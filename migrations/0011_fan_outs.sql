CREATE TABLE `fan_outs` (
	`tenant` text NOT NULL,
	`id` text NOT NULL,
	`event` text NOT NULL,
	`rule` text NOT NULL,
	`priority` text NOT NULL,
	`subscriptions` text NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`rev` integer DEFAULT 0 NOT NULL,
	`total` integer NOT NULL,
	`sent` integer DEFAULT 0 NOT NULL,
	`offset` integer NOT NULL,
	`per_second` real,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `fan_outs_running` ON `fan_outs` (`updated_at`) WHERE state = 'running';