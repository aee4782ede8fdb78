package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Person is somebody who can sign in: made by an admin, or at the first sign-in by mail.
type Person struct {
	ID       int64
	Address  string // the first of their verified addresses
	Name     string
	Admin    bool
	Language string
	Password bool // can sign in with one
	Created  time.Time
}

// NewPerson is a person to be made by an admin, who vouches for the address.
type NewPerson struct {
	Address  smtp.Address
	Name     string
	Admin    bool
	Password string // "": signs in by mail only
}

// CreatePerson makes a person.
func (s *Service) CreatePerson(ctx context.Context, by Actor, n NewPerson) (Person, error) {
	if err := requireAdmin(by); err != nil {
		return Person{}, err
	}
	hashed := ""
	if n.Password != "" {
		var err error
		if hashed, err = s.hashPassword(ctx, n.Password); err != nil {
			return Person{}, err
		}
	}
	var p Person
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		id, err := s.makePerson(ctx, tx, n, hashed)
		if err != nil {
			return err
		}
		if p, err = selectPerson(ctx, tx, id); err != nil {
			return fmt.Errorf("person %s: %w", n.Address, err)
		}
		return audit(ctx, tx, by, "person.create", 0, map[string]any{"address": n.Address.String(), "admin": n.Admin})
	})
	if err != nil {
		return Person{}, err
	}
	return p, nil
}

func (s *Service) makePerson(ctx context.Context, tx pgx.Tx, n NewPerson, hashed string) (int64, error) {
	o, err := ownAddress(ctx, tx, n.Address)
	if err != nil {
		return 0, err
	}
	if o.Ours {
		return 0, invalidAddress("person.own", "%s is an address of this site, not a person's", n.Address)
	}
	id, err := insertPerson(ctx, tx, personRow{
		Key: n.Address.Key(), Address: n.Address.String(), Name: smtp.CleanName(n.Name), Admin: n.Admin, Password: hashed,
	})
	if isUnique(err) {
		e := Errorf(Exists, "person.exists", "there is a person %s already", n.Address)
		e.Field = "address"
		return 0, e
	}
	if err != nil {
		return 0, fmt.Errorf("person %s: %w", n.Address, err)
	}
	return id, nil
}

// Persons are the persons in the order they were made, for admins. After is the id of the last
// one seen.
func (s *Service) Persons(ctx context.Context, by Actor, after int64, limit int) ([]Person, error) {
	if err := requireAdmin(by); err != nil {
		return nil, err
	}
	found, err := selectPersons(ctx, s.pool, after, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("persons: %w", err)
	}
	return found, nil
}

// SetPassword changes a person's password, their own or as an admin, and ends all their sessions:
// whoever was signed in with the old one is out. "" takes the password away.
func (s *Service) SetPassword(ctx context.Context, by Actor, personID int64, password string) error {
	if !by.Admin && (by.Person == 0 || by.Person != personID) {
		return Errorf(Denied, "denied.person", "only they themselves or an administrator may do that")
	}
	hashed := ""
	if password != "" {
		var err error
		if hashed, err = s.hashPassword(ctx, password); err != nil {
			return err
		}
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		found, err := updatePassword(ctx, tx, personID, hashed)
		if err != nil {
			return fmt.Errorf("person %d: %w", personID, err)
		}
		if !found {
			return Errorf(NotFound, "person.unknown", "there is no such person")
		}
		return audit(ctx, tx, by, "person.password", 0, map[string]any{"person": personID})
	})
}
