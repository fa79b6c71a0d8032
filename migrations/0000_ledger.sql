CREATE TABLE `deliveries` (
	`tenant` text NOT NULL,
	`received_at` integer NOT NULL,
	`event` text NOT NULL,
	`subscription` text NOT NULL,
	`rule` text NOT NULL,
	`target` text NOT NULL,
	`priority` text NOT NULL,
	`source` text NOT NULL,
	`type` text NOT NULL,
	`state` text NOT NULL,
	`attempts` integer NOT NULL,
	`attempts_base` integer DEFAULT 0 NOT NULL,
	`due_at` integer,
	`token` text,
	`last_status` integer,
	`last_error` text,
	`settled_at` integer,
	`log` text DEFAULT '[]' NOT NULL,
	`job` text,
	PRIMARY KEY(`tenant`, `received_at`, `event`, `subscription`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`due_at`) WHERE state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_open` ON `deliveries` (`tenant`,`state`,`received_at`) WHERE state IN ('retrying', 'parked', 'dead');--> statement-breakpoint
CREATE INDEX `deliveries_job` ON `deliveries` (`job`) WHERE job IS NOT NULL;--> statement-breakpoint
CREATE TABLE `duplicates` (
	`event` text NOT NULL,
	`receipt` text NOT NULL,
	`received_at` integer NOT NULL,
	`reason` text NOT NULL,
	PRIMARY KEY(`event`, `receipt`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `events` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`source` text NOT NULL,
	`type` text NOT NULL,
	`receipt` text NOT NULL,
	`received_at` integer NOT NULL,
	`claimed_at` integer NOT NULL,
	`token` text NOT NULL,
	`lease_until` integer NOT NULL,
	`segment` text NOT NULL,
	`offset` integer NOT NULL,
	`length` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `jobs` (
	`tenant` text NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`query` text NOT NULL,
	`total` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `resources` (
	`tenant` text NOT NULL,
	`kind` text NOT NULL,
	`id` text NOT NULL,
	`doc` text NOT NULL,
	`sealed` text,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `kind`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`doc` text NOT NULL,
	`revision` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
) WITHOUT ROWID;
