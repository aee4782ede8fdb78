-- +goose Up
-- A shard whose list has an older post on its way to the same destination is queued behind it, and
-- made ready when that one's first attempts are through: a claim meets only what may be sent,
-- however long the queue is.
ALTER TABLE shard DROP CONSTRAINT shard_state_check;
ALTER TABLE shard ADD CONSTRAINT shard_state_check
    CHECK (state IN ('queued', 'ready', 'claimed', 'done', 'aside', 'held')) NOT VALID;

DROP INDEX shard_order;
CREATE INDEX shard_order ON shard (list, dest, fanout) WHERE list IS NOT NULL AND state IN ('queued', 'ready', 'claimed');
CREATE INDEX shard_queued ON shard (list, dest, fanout, id) WHERE state = 'queued';

UPDATE shard s SET state = 'queued'
FROM (SELECT list, dest, min(fanout) AS oldest FROM shard WHERE list IS NOT NULL AND state IN ('ready', 'claimed') GROUP BY list, dest) o
WHERE s.list = o.list AND s.dest = o.dest AND s.fanout > o.oldest AND s.state = 'ready';
