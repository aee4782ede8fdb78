-- +goose Up
-- What is not to be sent for now, and what is not to be sent any more.

-- What a hold names it keeps from being sent: of this list, to this destination, of this post, and
-- where it names several, what is all of that. Zeros name nothing, so that a row of zeros holds all
-- mail. No reference: a hold outlives what it names, and is looked up by its key alone.
CREATE TABLE hold (
    list  bigint NOT NULL DEFAULT 0,
    dest  bigint NOT NULL DEFAULT 0,
    post  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    at    timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    PRIMARY KEY (list, dest, post)
);

-- Shards that a claim met and may not have are put by, out of the way of those after them. What was
-- there fits the narrower check, so nobody waits while it is looked at again.
ALTER TABLE shard DROP CONSTRAINT shard_state_check;
ALTER TABLE shard ADD CONSTRAINT shard_state_check
    CHECK (state IN ('ready', 'claimed', 'done', 'aside', 'held')) NOT VALID;
CREATE INDEX shard_held ON shard (fanout, dest, id) WHERE state = 'held';

-- What was dropped is not sent any more; whoever holds it gives it back, and then it is done.
ALTER TABLE shard ADD COLUMN given_up text NOT NULL DEFAULT ''; -- by whom
CREATE INDEX shard_given_up ON shard (id) WHERE given_up <> '' AND state <> 'done';

CREATE INDEX fanout_list_open ON fanout (list) WHERE finished IS NULL;
