CREATE TABLE `deeds` (
	`at` integer NOT NULL,
	`id` text NOT NULL,
	`tenant` text NOT NULL,
	`key` text NOT NULL,
	`name` text,
	`action` text NOT NULL,
	`resource` text NOT NULL,
	`reason` text,
	`outcome` text NOT NULL,
	`status` integer,
	`change` text,
	PRIMARY KEY(`at`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `deeds_tenant` ON `deeds` (`tenant`,`at`,`id`);