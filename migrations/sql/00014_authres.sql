-- +goose Up
-- What was found out about who vouches for a post, as the Authentication-Results field that its copies
-- carry (RFC 8601): made once, so that every copy and retry is byte-equal. Empty where nobody looked.
ALTER TABLE post ADD COLUMN authres text NOT NULL DEFAULT '';
