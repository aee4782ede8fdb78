-- +goose Up
-- What a node knows of the destinations it sends to at the moment, for people. It writes this every
-- few seconds while it changes, a bounded number of them.
ALTER TABLE node ADD COLUMN lanes jsonb NOT NULL DEFAULT '[]';
