CREATE TABLE `openings` (
	`tenant` text NOT NULL,
	`target` text NOT NULL,
	`version` integer NOT NULL,
	PRIMARY KEY(`tenant`, `target`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `openings`(`tenant`, `target`, `version`)
SELECT `tenant`, `id`, `version` FROM `resources` WHERE `kind` = 'target';
--> statement-breakpoint
ALTER TABLE `tenants` ADD `version` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
UPDATE `tenants` SET `version` = `revision`;
