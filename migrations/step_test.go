package migrations_test

import (
	"testing"

	"muster/migrations"
)

// What the rules decided is moved into the post, and what people decided stays where it was.
func TestArrivalMovesDecisions(t *testing.T) {
	t.Parallel()
	p := pool(t)
	if err := migrations.UpTo(t.Context(), p, 4); err != nil {
		t.Fatal(err)
	}
	_, err := p.Exec(t.Context(), `
		WITH d AS (INSERT INTO domain (name) VALUES ('lists.example') RETURNING id),
		l AS (INSERT INTO list (domain, local) SELECT id, 'dev' FROM d RETURNING id),
		made AS (
			INSERT INTO post (id, ref, list, kind, state, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
			SELECT gen_random_uuid(), n, id, 'post', 'accepted', '', '', n, '', 1, '', false, false, 1 FROM l, unnest(ARRAY['plain', 'held']) n
			RETURNING id, ref)
		INSERT INTO decision (post, n, actor, action, reason, trace)
		SELECT id, 0, 'rules', CASE ref WHEN 'held' THEN 'hold' ELSE 'accept' END, 'why-' || ref, '[{"rule":"policy"}]'::jsonb FROM made
		UNION ALL SELECT id, 1, 'ann@a.example', 'release', 'fine', '[]'::jsonb FROM made WHERE ref = 'held'`)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	var posts, decisions string
	err = p.QueryRow(t.Context(), `SELECT
		(SELECT string_agg(concat_ws(' ', ref, ruled, reason, trace), E'\n' ORDER BY ref) FROM post),
		(SELECT string_agg(concat_ws(' ', n, actor, action, reason), E'\n') FROM decision)`).Scan(&posts, &decisions)
	if err != nil {
		t.Fatal(err)
	}
	const want = "held hold why-held [{\"rule\": \"policy\"}]\nplain accept why-plain [{\"rule\": \"policy\"}]"
	if posts != want || decisions != "1 ann@a.example release fine" {
		t.Errorf("posts\n%s\ndecisions\n%s", posts, decisions)
	}
}
