package lists

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// Sizes of a password, in characters and octets. Long ones cost the same to hash.
const (
	minPassword = 10
	maxPassword = 1024
)

// hashParams is what a guess costs: 19 MiB and two passes, OWASP's choice where a server hashes
// for many.
func hashParams() *argon2id.Params {
	return &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// nobodysHash is the hash of no password, made with hashParams: what a guess at an unknown address
// is compared to, so that it takes as long as at a known one.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (s *Service) hashPassword(ctx context.Context, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", badPassword("password.short", "the password is too short: it needs at least %d characters", minPassword)
	case len(password) > maxPassword:
		return "", badPassword("password.long", "the password is too long: it may have %d octets", maxPassword)
	}
	if err := s.takeHashing(ctx); err != nil {
		return "", err
	}
	defer s.giveHashing()
	hashed, err := argon2id.CreateHash(password, hashParams())
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return hashed, nil
}

// checkPassword compares in the same time whether there is a hash or not.
func (s *Service) checkPassword(ctx context.Context, password, hashed string) (bool, error) {
	known := hashed != ""
	if !known {
		hashed = nobodysHash
	}
	if len(password) > maxPassword {
		password = password[:maxPassword] // cannot match: none so long was ever set
		known = false
	}
	if err := s.takeHashing(ctx); err != nil {
		return false, err
	}
	defer s.giveHashing()
	same, err := argon2id.ComparePasswordAndHash(password, hashed)
	if err != nil {
		return false, fmt.Errorf("password: %w", err)
	}
	return same && known, nil
}

func (s *Service) takeHashing(ctx context.Context) error {
	select {
	case s.hashing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) giveHashing() { <-s.hashing }

func badPassword(code, format string, n int) *Error {
	e := Errorf(Invalid, code, format, n)
	e.Field = "password"
	e.Params = map[string]any{"N": n}
	return e
}
