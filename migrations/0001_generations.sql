CREATE TABLE `deliveries_0` (
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
CREATE INDEX `deliveries_0_due` ON `deliveries_0` (`due_at`) WHERE state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_0_open` ON `deliveries_0` (`tenant`,`state`,`received_at`) WHERE state IN ('retrying', 'parked', 'dead');--> statement-breakpoint
CREATE INDEX `deliveries_0_job` ON `deliveries_0` (`job`) WHERE job IS NOT NULL;--> statement-breakpoint
CREATE TABLE `deliveries_1` (
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
CREATE INDEX `deliveries_1_due` ON `deliveries_1` (`due_at`) WHERE state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_1_open` ON `deliveries_1` (`tenant`,`state`,`received_at`) WHERE state IN ('retrying', 'parked', 'dead');--> statement-breakpoint
CREATE INDEX `deliveries_1_job` ON `deliveries_1` (`job`) WHERE job IS NOT NULL;--> statement-breakpoint
CREATE TABLE `deliveries_2` (
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
CREATE INDEX `deliveries_2_due` ON `deliveries_2` (`due_at`) WHERE state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_2_open` ON `deliveries_2` (`tenant`,`state`,`received_at`) WHERE state IN ('retrying', 'parked', 'dead');--> statement-breakpoint
CREATE INDEX `deliveries_2_job` ON `deliveries_2` (`job`) WHERE job IS NOT NULL;--> statement-breakpoint
CREATE TABLE `duplicates_0` (
	`event` text NOT NULL,
	`receipt` text NOT NULL,
	`received_at` integer NOT NULL,
	`reason` text NOT NULL,
	PRIMARY KEY(`event`, `receipt`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `duplicates_1` (
	`event` text NOT NULL,
	`receipt` text NOT NULL,
	`received_at` integer NOT NULL,
	`reason` text NOT NULL,
	PRIMARY KEY(`event`, `receipt`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `duplicates_2` (
	`event` text NOT NULL,
	`receipt` text NOT NULL,
	`received_at` integer NOT NULL,
	`reason` text NOT NULL,
	PRIMARY KEY(`event`, `receipt`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `events_0` (
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
CREATE TABLE `events_1` (
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
CREATE TABLE `events_2` (
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
CREATE TABLE `generations` (
	`slot` integer PRIMARY KEY NOT NULL,
	`generation` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- The slot of a row: the generation of 14 days in which it was received, modulo 3 (core/generation.ts).
INSERT INTO `events_0` SELECT * FROM `events` WHERE (`received_at` / 1209600000) % 3 = 0;
--> statement-breakpoint
INSERT INTO `events_1` SELECT * FROM `events` WHERE (`received_at` / 1209600000) % 3 = 1;
--> statement-breakpoint
INSERT INTO `events_2` SELECT * FROM `events` WHERE (`received_at` / 1209600000) % 3 = 2;
--> statement-breakpoint
INSERT INTO `deliveries_0` SELECT * FROM `deliveries` WHERE (`received_at` / 1209600000) % 3 = 0;
--> statement-breakpoint
INSERT INTO `deliveries_1` SELECT * FROM `deliveries` WHERE (`received_at` / 1209600000) % 3 = 1;
--> statement-breakpoint
INSERT INTO `deliveries_2` SELECT * FROM `deliveries` WHERE (`received_at` / 1209600000) % 3 = 2;
--> statement-breakpoint
INSERT INTO `duplicates_0` SELECT * FROM `duplicates` WHERE (`received_at` / 1209600000) % 3 = 0;
--> statement-breakpoint
INSERT INTO `duplicates_1` SELECT * FROM `duplicates` WHERE (`received_at` / 1209600000) % 3 = 1;
--> statement-breakpoint
INSERT INTO `duplicates_2` SELECT * FROM `duplicates` WHERE (`received_at` / 1209600000) % 3 = 2;
--> statement-breakpoint
DROP TABLE `deliveries`;
--> statement-breakpoint
DROP TABLE `duplicates`;
--> statement-breakpoint
DROP TABLE `events`;
