-- +goose Up
-- Taking a post in writes less. What the rules decided when it arrived is part of the post, so that
-- most posts have no row of decision, which keeps what people decided later.

ALTER TABLE post
    ADD COLUMN ruled  text NOT NULL DEFAULT 'accept' CHECK (ruled IN ('accept', 'hold')),
    ADD COLUMN reason text NOT NULL DEFAULT '', -- code of the rule that decided
    ADD COLUMN trace  jsonb NOT NULL DEFAULT '[]';

UPDATE post SET ruled = d.action, reason = d.reason, trace = d.trace
FROM decision d WHERE d.post = post.id AND d.actor = 'rules';
DELETE FROM decision WHERE actor = 'rules';

ALTER TABLE decision DROP COLUMN trace;

-- A row is written together with its post and its list is that of the post, which refers to it: to ask
-- again costs more than writing it. Who deletes a post deletes its pieces.
ALTER TABLE post_raw DROP CONSTRAINT post_raw_post_fkey;
ALTER TABLE seen DROP CONSTRAINT seen_list_fkey;
