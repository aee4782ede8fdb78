package admin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muster/lists"
)

// BenchmarkPage is a page from the request to its last byte, PostgreSQL and all.
func BenchmarkPage(b *testing.B) {
	w := newWorld(b)
	for i := range 50 {
		w.list(fmt.Sprintf("bench%02d@lists.example", i), "A list to be shown", "owner@people.example")
	}
	var csv strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&csv, "Member %d <m%05d@member.example>\n", i, i)
	}
	if _, err := w.lists.Import(b.Context(), lists.CLI(), w.find("garden@lists.example").ID, strings.NewReader(csv.String()), lists.ImportOptions{}); err != nil {
		b.Fatal(err)
	}
	for _, page := range []struct {
		name, path string
		visitor    *visitor
	}{
		{"lists", "/", w.visitor()},
		{"members-10k", "/manage/lists/garden@lists.example/members?" + url.Values{"after": {"m05000@member.example"}}.Encode(), w.as("owner@people.example")},
	} {
		b.Run(page.name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = page.visitor.fetch(b, page.path)
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}

// fetch gets a page without looking at it.
func (v *visitor) fetch(b *testing.B, path string) int {
	b.Helper()
	res, err := v.client.Get(v.w.url + path)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.Status, err)
	}
	return int(n)
}
