package lists

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations/testdb"
	"muster/smtp"
)

// benchMembers is how many members a benchmark brings in: MEMBERS, or a tenth of a great list.
func benchMembers() int {
	if n, err := strconv.Atoi(os.Getenv("MEMBERS")); err == nil {
		return n
	}
	return 100_000
}

// benchFile is a file of n members in no order, as people export them.
func benchFile(n int) (file string, members []Member) {
	var b strings.Builder
	b.WriteString("address,name\n")
	random := rand.New(rand.NewPCG(1, 2))
	for _, i := range random.Perm(n) {
		address := fmt.Sprintf("First.Last%d@mail%d.example", i, i%1000)
		fmt.Fprintf(&b, "%s,\"First Last %d\"\n", address, i)
		box := smtp.Mailbox{Name: fmt.Sprintf("First Last %d", i), Address: smtp.Address{Local: fmt.Sprintf("First.Last%d", i), Domain: fmt.Sprintf("mail%d.example", i%1000)}}
		members = append(members, memberOf(0, box))
	}
	return b.String(), members
}

func benchList(b *testing.B, s *Service) List {
	b.Helper()
	l, err := s.CreateList(b.Context(), CLI(), NewList{Address: smtp.Address{Local: fmt.Sprintf("l%d", time.Now().UnixNano()), Domain: "a.example"}})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkImport brings a file into an empty list, and beside it, in turns, the same members by a
// bare COPY into the same columns and indexes: in the order of the file, and in that of the keys,
// which is the best a COPY can do.
func BenchmarkImport(b *testing.B) {
	pool := testdb.New(b)
	s := New(pool, Config{})
	n := benchMembers()
	file, members := benchFile(n)
	sorted := slices.SortedFunc(slices.Values(members), func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
	var imports, copies, sortedCopies time.Duration
	for b.Loop() {
		copies += bareCopy(b, pool, benchList(b, s).ID, members)
		empty(b, pool)
		sortedCopies += bareCopy(b, pool, benchList(b, s).ID, sorted)
		empty(b, pool)
		begin := time.Now()
		report, err := s.Import(b.Context(), CLI(), benchList(b, s).ID, strings.NewReader(file), ImportOptions{})
		imports += time.Since(begin)
		if err != nil || report.Added != n {
			b.Fatalf("%+v, %v", report, err)
		}
		empty(b, pool)
	}
	b.ReportMetric(float64(n*b.N)/imports.Seconds(), "members/s")
	b.ReportMetric(float64(n*b.N)/copies.Seconds(), "copied/s")
	b.ReportMetric(copies.Seconds()/imports.Seconds(), "ratio")
	b.ReportMetric(sortedCopies.Seconds()/imports.Seconds(), "ratio-to-sorted")
}

func bareCopy(b *testing.B, pool *pgxpool.Pool, list int64, members []Member) time.Duration {
	b.Helper()
	begin := time.Now()
	columns := []string{"list", "key", "address", "name", "domain", "consent", "consent_from"}
	_, err := pool.CopyFrom(b.Context(), pgx.Identifier{"member"}, columns, pgx.CopyFromSlice(len(members), func(i int) ([]any, error) {
		m := &members[i]
		return []any{list, m.Key, m.Address, m.Name, m.Domain, ConsentImport, "cli"}, nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

func empty(b *testing.B, pool *pgxpool.Pool) {
	b.Helper()
	if _, err := pool.Exec(b.Context(), `TRUNCATE member CASCADE`); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkImportRead is the part of an import that needs no database.
func BenchmarkImportRead(b *testing.B) {
	file, members := benchFile(10_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		in, err := newImportReader(strings.NewReader(file), 1)
		if err != nil {
			b.Fatal(err)
		}
		for range members {
			if _, refusal, err := in.next(); err != nil || refusal != nil {
				b.Fatal(refusal, err)
			}
		}
	}
	b.ReportMetric(float64(len(members)*b.N)/b.Elapsed().Seconds(), "lines/s")
}
