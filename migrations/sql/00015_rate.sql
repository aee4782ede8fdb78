-- +goose Up
-- How much goes out in a time, and who goes first.

-- Copies that a node was granted in a minute: what a limit on a span of time is counted by. A node takes
-- many at a time, and gives back what it did not need.
CREATE TABLE granted (
    minute timestamptz NOT NULL,
    node   bigint NOT NULL, -- of node; its grants count however it ends
    copies bigint NOT NULL,
    PRIMARY KEY (minute, node)
);

-- What a node tells of the limits it keeps, for people.
ALTER TABLE node ADD COLUMN throttle jsonb NOT NULL DEFAULT '{}';

ALTER TABLE list ADD COLUMN priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('high', 'normal', 'low'));

-- How far apart the turns of a fan-out's shards are: its n-th shard has turn start + n * step.
ALTER TABLE fanout_share ADD COLUMN step bigint NOT NULL DEFAULT 1;
