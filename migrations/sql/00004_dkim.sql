-- +goose Up
-- Keys that sign what leaves in a domain's name.

CREATE TABLE dkim_key (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain    bigint NOT NULL REFERENCES domain,
    selector  text COLLATE "C" NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    private   bytea NOT NULL, -- PKCS #8; empty once it is retired
    record    text NOT NULL,  -- of the DNS, as TXT
    state     text NOT NULL DEFAULT 'published' CHECK (state IN ('published', 'active', 'retired')),
    created   timestamptz NOT NULL DEFAULT now(),
    activated timestamptz,
    retired   timestamptz,
    UNIQUE (domain, selector) -- for good: a name in the DNS may be remembered for long
);
CREATE INDEX dkim_key_published ON dkim_key (id) WHERE state = 'published';
