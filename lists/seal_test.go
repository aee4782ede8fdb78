package lists

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/smtp"
)

func mustBox(t testing.TB, text string) smtp.Mailbox {
	t.Helper()
	m, err := smtp.ParseMailbox(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testKeys() []siteKey {
	return []siteKey{{ID: 3, Secret: bytes.Repeat([]byte{1}, siteKeyOctets)}, {ID: 4, Secret: bytes.Repeat([]byte{2}, siteKeyOctets)}}
}

func TestSealFitsALocalPart(t *testing.T) {
	t.Parallel()
	seal := newSealer(testKeys()).Bounce(1, 1<<40-1, 65535)
	local := strings.Repeat("a", MaxLocal) + "-bounces+" + seal
	if len(seal) > 26 || len(local) > smtp.MaxLocal {
		t.Errorf("seal of %d, local part of %d octets", len(seal), len(local))
	}
	if seal != strings.ToLower(seal) || smtp.LocalKey(local) != local {
		t.Errorf("%s is not its own key", local)
	}
}

func TestSealProves(t *testing.T) {
	t.Parallel()
	s := newSealer(testKeys())
	day := SealDay(time.Date(2026, 11, 23, 23, 59, 0, 0, time.UTC))
	seal := s.Bounce(7, 42, day)
	for _, spelled := range []string{seal, strings.ToUpper(seal)} {
		if got, ok := s.VerifyBounce(7, spelled); !ok || got != (Seal{Member: 42, Day: day}) {
			t.Errorf("%s: %+v, %v", spelled, got, ok)
		}
	}
	if _, ok := s.VerifyBounce(8, seal); ok {
		t.Error("good for another list")
	}
	if _, ok := s.VerifyLeave(7, seal); ok {
		t.Error("good for another purpose")
	}
	if _, ok := newSealer(testKeys()[:1]).VerifyBounce(7, seal); ok {
		t.Error("good without its key")
	}
	other := []siteKey{{ID: 4, Secret: bytes.Repeat([]byte{9}, siteKeyOctets)}}
	if _, ok := newSealer(other).VerifyBounce(7, seal); ok {
		t.Error("good with another site's key")
	}
	for _, bad := range []string{"", "a", seal[1:], seal + "a", seal[:25] + "0", strings.Repeat("=", 26), strings.Repeat("ü", 13)} {
		if _, ok := s.VerifyBounce(7, bad); ok {
			t.Errorf("%q is good", bad)
		}
	}
}

func TestSealHasOneSpelling(t *testing.T) {
	t.Parallel()
	s := newSealer(testKeys())
	seal := s.Leave(7, 42)
	for i := range seal {
		for _, c := range "abcdefghijklmnopqrstuvwxyz234567" {
			changed := seal[:i] + string(c) + seal[i+1:]
			if _, ok := s.VerifyLeave(7, changed); ok && changed != seal {
				t.Errorf("%s is as good as %s", changed, seal)
			}
		}
	}
}

func TestSealOfOlderKey(t *testing.T) {
	t.Parallel()
	old := newSealer(testKeys()[:1]).Leave(7, 42)
	if got, ok := newSealer(testKeys()).VerifyLeave(7, old); !ok || got.Member != 42 {
		t.Errorf("%+v, %v", got, ok)
	}
}

func TestSealerIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	s := newSealer(testKeys())
	var wg sync.WaitGroup
	for g := range int64(8) {
		wg.Go(func() {
			for i := range int64(500) {
				if got, ok := s.VerifyBounce(g, s.Bounce(g, i, int(i))); !ok || got.Member != i {
					t.Errorf("list %d member %d: %+v, %v", g, i, got, ok)
				}
			}
		})
	}
	wg.Wait()
}

func TestSealAllocations(t *testing.T) {
	s := newSealer(testKeys())
	seal := s.Bounce(7, 42, 20000)
	// One, the text; the race detector makes sync.Pool forget, which adds a few now and then.
	if n := testing.AllocsPerRun(1000, func() { s.Bounce(7, 42, 20000) }); n > 4 {
		t.Errorf("making a seal: %v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, func() { s.VerifyBounce(7, seal) }); n > 4 {
		t.Errorf("verifying a seal: %v allocations", n)
	}
}

func FuzzSealRoundTrip(f *testing.F) {
	s := newSealer(testKeys())
	f.Add(int64(1), int64(1), 20780, s.Leave(1, 1))
	f.Add(int64(1)<<62, int64(1)<<40-1, 65535, "aaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Add(int64(0), int64(0), 0, "AAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, list, member int64, day int, forged string) {
		member, day = member&(1<<40-1), day&0xffff
		seal := s.Bounce(list, member, day)
		if got, ok := s.VerifyBounce(list, seal); !ok || got != (Seal{Member: member, Day: day}) {
			t.Fatalf("%d %d %d became %+v, %v", list, member, day, got, ok)
		}
		if smtp.LocalKey(seal) != seal || len(seal) != sealChars {
			t.Fatalf("%q cannot stand in a local part", seal)
		}
		if got, ok := s.VerifyBounce(list, forged); ok && s.Bounce(list, got.Member, got.Day) != strings.ToLower(forged) &&
			newSealer(testKeys()[:1]).Bounce(list, got.Member, got.Day) != strings.ToLower(forged) {
			t.Fatalf("forged %q is good: %+v", forged, got)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s := newSealer(testKeys())
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Bounce(7, 42, 20000)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seals/s")
	})
	b.Run("verify", func(b *testing.B) {
		seal := s.Bounce(7, 42, 20000)
		b.ReportAllocs()
		for b.Loop() {
			s.VerifyBounce(7, seal)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seals/s")
	})
}
