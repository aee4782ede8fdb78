-- +goose Up
-- Destinations that only shards of many are for have no row from which a block could be taken back. Who
-- wants them tried again counts up at the row of those shards, and each node that sees so tries them.
ALTER TABLE destination ADD COLUMN retried bigint NOT NULL DEFAULT 0;
