CREATE TABLE `rule_versions` (
	`tenant` text NOT NULL,
	`id` text NOT NULL,
	`version` integer NOT NULL,
	`doc` text,
	`changed_at` integer NOT NULL,
	PRIMARY KEY(`tenant`, `id`, `version`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `rule_versions`(`tenant`, `id`, `version`, `doc`, `changed_at`)
SELECT `tenant`, `id`, `version`, `doc`, `updated_at` FROM `resources` WHERE `kind` = 'rule';
