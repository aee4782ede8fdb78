-- +goose Up
-- Commands by mail that wait for their sender's word, and words that take the place of ours.

-- What a token is for is known to who asks for it: each of its purposes comes with its own step.
ALTER TABLE token DROP CONSTRAINT IF EXISTS token_purpose_check;

-- What who asked to join wants set of their membership, until an owner decides.
ALTER TABLE join_request ADD COLUMN options jsonb NOT NULL DEFAULT '[]';

-- The text of a kind of mail in a language, as a list, a domain or the site wants it.
CREATE TABLE template (
    list     bigint REFERENCES list,
    domain   bigint REFERENCES domain, -- neither: the site's
    kind     text COLLATE "C" NOT NULL,
    language text COLLATE "C" NOT NULL,
    source   text NOT NULL CHECK (octet_length(source) <= 16384),
    changed  timestamptz NOT NULL DEFAULT now(),
    CHECK (list IS NULL OR domain IS NULL)
);
CREATE UNIQUE INDEX template_place ON template ((coalesce(list, 0)), (coalesce(domain, 0)), kind, language);
