package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Session is one browser in which a person is signed in.
type Session struct {
	ID     int64
	Made   time.Time
	Seen   time.Time // to the minute
	Client string    // the address it was last seen from
}

// How long a session lives: after it was last seen, and at most.
const (
	sessionIdle = 30 * 24 * time.Hour
	sessionLife = 180 * 24 * time.Hour
)

// SessionActor is who holds a session token: an Error of kind Expired if the session has ended.
func (s *Service) SessionActor(ctx context.Context, sessionToken, client string) (Actor, Person, error) {
	if len(sessionToken) != secretChars {
		return Actor{}, Person{}, sessionEnded()
	}
	id, err := touchSession(ctx, s.pool, hashSecret(sessionToken), client)
	if noRows(err) {
		return Actor{}, Person{}, sessionEnded()
	}
	if err != nil {
		return Actor{}, Person{}, fmt.Errorf("session: %w", err)
	}
	return s.actor(ctx, s.pool, id, client)
}

func sessionEnded() *Error {
	return Errorf(Expired, "session.ended", "you are not signed in any more; sign in again")
}

// actor is a person with their rights.
func (s *Service) actor(ctx context.Context, q querier, id int64, client string) (Actor, Person, error) {
	p, err := selectPerson(ctx, q, id)
	if err != nil {
		return Actor{}, Person{}, fmt.Errorf("person %d: %w", id, err)
	}
	keys, err := selectPersonKeys(ctx, q, id)
	if err != nil {
		return Actor{}, Person{}, fmt.Errorf("addresses of person %d: %w", id, err)
	}
	return Actor{Person: id, Keys: keys, Admin: p.Admin, Name: p.Address, Client: client}, p, nil
}

// startSession makes a session with a token of its own: a token from before the sign-in, which
// somebody else may have planted, is never carried on.
func (s *Service) startSession(ctx context.Context, tx pgx.Tx, person int64, client string) (string, error) {
	secret, hash := newSecret()
	if err := insertSession(ctx, tx, hash, person, client); err != nil {
		return "", fmt.Errorf("session of person %d: %w", person, err)
	}
	return secret, nil
}

// SignOut ends a session. A token of none is no error.
func (s *Service) SignOut(ctx context.Context, sessionToken string) error {
	if err := deleteSession(ctx, s.pool, hashSecret(sessionToken)); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// Sessions are the live sessions of the actor, the latest first.
func (s *Service) Sessions(ctx context.Context, by Actor) ([]Session, error) {
	found, err := selectSessions(ctx, s.pool, by.Person)
	if err != nil {
		return nil, fmt.Errorf("sessions of person %d: %w", by.Person, err)
	}
	return found, nil
}

// EndSession ends one of the actor's sessions, or all of them for id 0.
func (s *Service) EndSession(ctx context.Context, by Actor, id int64) error {
	found, err := endSession(ctx, s.pool, by.Person, id)
	if err != nil {
		return fmt.Errorf("session %d: %w", id, err)
	}
	if !found && id != 0 {
		return Errorf(NotFound, "session.unknown", "that session has ended already")
	}
	return nil
}
