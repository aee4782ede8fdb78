package fanout

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Bounds of what is read of a post's header, and of whom it names: who stands further back gets a copy.
const (
	addressedPieces = 2 // of post_raw
	maxAddressField = 64 << 10
	maxAddressed    = 1000
)

// sqlUnaddressed asks whether there is a member of the lists of a fan-out m who wants that.
const sqlUnaddressed = `EXISTS (SELECT FROM member o WHERE o.list = ANY(m.lists) AND o.left_at IS NULL AND NOT o.addressed_posts)`

// sqlNotAddressed leaves out who is named in To or Cc and wants no copy then.
const sqlNotAddressed = `
			AND (m.addressed_posts OR m.key <> ALL(@addressed::text[]))`

// saveAddressed finds whom a post names in To and Cc, and notes them at its fan-out.
func saveAddressed(ctx context.Context, tx pgx.Tx, fanout int64, p *unplannedPost) ([]string, error) {
	var raw []byte
	err := tx.QueryRow(ctx, `
		SELECT substring(string_agg(r.bytes, ''::bytea ORDER BY r.n) FROM 1 FOR p.header_len)
		FROM post p JOIN post_raw r ON r.post = p.id AND r.n < $2
		WHERE p.id = $1::uuid GROUP BY p.id`, p.ID, addressedPieces).Scan(&raw)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	keys := addressedKeys(raw)
	if _, err := tx.Exec(ctx, `UPDATE fanout SET addressed = $2 WHERE id = $1`, fanout, keys); err != nil {
		return nil, fmt.Errorf("addressed: %w", err)
	}
	return keys, nil
}

// addressedKeys are the addresses in To and Cc of a header. A field that cannot be read, or is longer than any
// that people write, names nobody: a copy too many does less harm than none.
func addressedKeys(raw []byte) []string {
	fields := without(raw, func(name string) bool { return name != "to" && name != "cc" })
	keys := []string{}
	for field := range strings.SplitSeq(strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(fields)), "\r\n") {
		_, value, _ := strings.Cut(field, ":")
		if len(value) > maxAddressField {
			continue
		}
		boxes, err := mail.ParseAddressList(value)
		if err != nil {
			continue
		}
		for _, box := range boxes[:min(len(boxes), maxAddressed-len(keys))] {
			if a, err := smtp.AddressOf(box); err == nil {
				keys = append(keys, a.Key())
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
