ALTER TABLE `deliveries_0` ADD `order_key` text;--> statement-breakpoint
ALTER TABLE `deliveries_0` ADD `order_value` text;--> statement-breakpoint
ALTER TABLE `deliveries_0` ADD `order_turn` text;--> statement-breakpoint
CREATE INDEX `deliveries_0_turn` ON `deliveries_0` (`order_key`,`received_at`,`event`) WHERE order_key IS NOT NULL AND state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_0_wait` ON `deliveries_0` (`order_key`,`received_at`,`event`) WHERE order_key IS NOT NULL AND state = 'parked';--> statement-breakpoint
CREATE INDEX `deliveries_0_newest` ON `deliveries_0` (`order_key`,`order_value`,`received_at`,`event`) WHERE order_value IS NOT NULL;--> statement-breakpoint
ALTER TABLE `deliveries_1` ADD `order_key` text;--> statement-breakpoint
ALTER TABLE `deliveries_1` ADD `order_value` text;--> statement-breakpoint
ALTER TABLE `deliveries_1` ADD `order_turn` text;--> statement-breakpoint
CREATE INDEX `deliveries_1_turn` ON `deliveries_1` (`order_key`,`received_at`,`event`) WHERE order_key IS NOT NULL AND state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_1_wait` ON `deliveries_1` (`order_key`,`received_at`,`event`) WHERE order_key IS NOT NULL AND state = 'parked';--> statement-breakpoint
CREATE INDEX `deliveries_1_newest` ON `deliveries_1` (`order_key`,`order_value`,`received_at`,`event`) WHERE order_value IS NOT NULL;--> statement-breakpoint
ALTER TABLE `deliveries_2` ADD `order_key` text;--> statement-breakpoint
ALTER TABLE `deliveries_2` ADD `order_value` text;--> statement-breakpoint
ALTER TABLE `deliveries_2` ADD `order_turn` text;--> statement-breakpoint
CREATE INDEX `deliveries_2_turn` ON `deliveries_2` (`order_key`,`received_at`,`event`) WHERE order_key IS NOT NULL AND state IN ('pending', 'delivering', 'retrying');--> statement-breakpoint
CREATE INDEX `deliveries_2_wait` ON `deliveries_2` (`order_key`,`received_at`,`event`) WHERE order_key IS NOT NULL AND state = 'parked';--> statement-breakpoint
CREATE INDEX `deliveries_2_newest` ON `deliveries_2` (`order_key`,`order_value`,`received_at`,`event`) WHERE order_value IS NOT NULL;