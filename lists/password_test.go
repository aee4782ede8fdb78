package lists

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"muster/migrations/testdb"
	"muster/smtp"
)

func TestNobodysHashCostsWhatOthersDo(t *testing.T) {
	t.Parallel()
	got, _, _, err := argon2id.DecodeHash(nobodysHash)
	if err != nil || *got != *hashParams() {
		t.Errorf("%+v, %v, want %+v", got, err, hashParams())
	}
}

// TestEveryGuessIsHashed takes all slots for hashing: an answer that comes all the same came
// without the work that hides whether there is such a person.
func TestEveryGuessIsHashed(t *testing.T) {
	t.Parallel()
	s := New(testdb.New(t), Config{})
	for _, person := range []NewPerson{
		{Address: smtp.Address{Local: "ann", Domain: "x.example"}, Password: "correct horse battery"},
		{Address: smtp.Address{Local: "mail", Domain: "x.example"}},
	} {
		if _, err := s.CreatePerson(t.Context(), CLI(), person); err != nil {
			t.Fatal(err)
		}
	}
	for range maxHashing {
		s.hashing <- struct{}{}
	}
	for _, user := range []string{"ann@x.example", "mail@x.example", "nobody@x.example", "not an address"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := s.Authenticate(ctx, user, "wrong password", "")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: answered without hashing: %v", user, err)
		}
	}
}
