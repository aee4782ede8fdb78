-- +goose Up
-- The page of a post shows the last pieces of its journal. By shard they would all be read and sorted,
-- or the pieces of every later post be walked through; nobody asked for them by fan-out and shard.
DROP INDEX journal_fanout;
CREATE INDEX journal_fanout ON journal (fanout, id);
