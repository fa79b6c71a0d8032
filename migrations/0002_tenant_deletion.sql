CREATE TABLE `new_jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant` text NOT NULL,
	`kind` text NOT NULL,
	`query` text NOT NULL,
	`total` integer NOT NULL,
	`state` text NOT NULL,
	`removed` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `new_jobs`(`id`, `tenant`, `kind`, `query`, `total`, `state`, `created_at`, `updated_at`)
SELECT `id`, `tenant`, `kind`, `query`, `total`, 'done', `created_at`, `created_at` FROM `jobs`;
--> statement-breakpoint
DROP TABLE `jobs`;
--> statement-breakpoint
ALTER TABLE `new_jobs` RENAME TO `jobs`;
--> statement-breakpoint
CREATE INDEX `jobs_running` ON `jobs` (`id`) WHERE state = 'running';
