-- +goose Up
-- A list or a domain is never deleted, only marked as such; to ask for both at each post, and to lock their
-- rows, costs a twentieth of what writing it does.
ALTER TABLE post DROP CONSTRAINT post_list_fkey;
ALTER TABLE post DROP CONSTRAINT post_domain_fkey;
