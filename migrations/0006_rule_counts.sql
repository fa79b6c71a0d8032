ALTER TABLE `tenants` ADD `rules` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
UPDATE `tenants` SET `rules` = (
	SELECT COUNT(*) FROM `resources` AS r WHERE r.`tenant` = `tenants`.`id` AND r.`kind` = 'rule');
