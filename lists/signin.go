package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// SignIn signs a person in by password. Whether the address or the password is wrong is not told,
// nor shown by the time it takes.
func (s *Service) SignIn(ctx context.Context, address, password, client string) (sessionToken string, p Person, err error) {
	id, err := s.passwordPerson(ctx, address, password, client)
	if err != nil {
		return "", Person{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if sessionToken, err = s.startSession(ctx, tx, id, client); err != nil {
			return err
		}
		_, p, err = s.actor(ctx, tx, id, client)
		return err
	})
	if err != nil {
		return "", Person{}, err
	}
	return sessionToken, p, nil
}

// Authenticate is who a user and password belong to, without a session: for SMTP AUTH (RFC 4954).
func (s *Service) Authenticate(ctx context.Context, user, password, client string) (Actor, error) {
	id, err := s.passwordPerson(ctx, user, password, client)
	if err != nil {
		return Actor{}, err
	}
	a, _, err := s.actor(ctx, s.pool, id, client)
	return a, err
}

// passwordPerson finds whose address and password these are. An attempt counts before the password
// is looked at, so that many at once cannot slip under the limit; a right one clears the address.
func (s *Service) passwordPerson(ctx context.Context, address, password, client string) (int64, error) {
	a, err := smtp.ParseAddress(address)
	key := a.Key()
	if err != nil {
		key = "" // matches nobody, and takes as long
	}
	if err := s.allowClient(ctx, s.limits.signInsPerClient, client); err != nil {
		return 0, err
	}
	within, err := s.count(ctx, s.pool, s.limits.signInsPerAddress, key)
	if err != nil {
		return 0, err
	}
	if !within {
		return 0, tooOften(s.limits.signInsPerAddress)
	}
	id, hashed, err := selectPassword(ctx, s.pool, key)
	if err != nil && !noRows(err) {
		return 0, fmt.Errorf("person %s: %w", clip(address), err)
	}
	same, err := s.checkPassword(ctx, password, hashed)
	if err != nil {
		return 0, err
	}
	if !same {
		return 0, Errorf(Denied, "signin.wrong", "the address or the password is wrong")
	}
	if err := clearRate(ctx, s.pool, s.limits.signInsPerAddress.key(key)); err != nil {
		return 0, fmt.Errorf("limit of %s: %w", clip(address), err)
	}
	return id, nil
}

// RequestSignIn mails a link that signs in, if the address is anybody's here: a person's, a
// member's, or an owner's. The answer is the same for all.
func (s *Service) RequestSignIn(ctx context.Context, a smtp.Address, language, client string) error {
	if err := s.allowClient(ctx, s.limits.linksPerClient, client); err != nil {
		return err
	}
	within, err := s.count(ctx, s.pool, s.limits.linksPerAddress, a.Key())
	if err != nil || !within {
		return err
	}
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		known, err := s.mayBeMailed(ctx, tx, a)
		if err != nil {
			return err
		}
		secret, hash := newSecret()
		t := newToken{Purpose: PurposeSignIn, Key: a.Key(), Params: tokenParams{Address: a.String(), Client: client}, Life: signInLife}
		if _, err := insertToken(ctx, tx, hash, t); err != nil {
			return fmt.Errorf("sign-in of %s: %w", a, err)
		}
		if !known { // the token above is then nobody's: made so that this takes as long
			return nil
		}
		return s.tellSignIn(ctx, tx, a, languageTag(language), secret)
	})
}

// mayBeMailed says whether an address is anybody's here and not one of our own.
func (s *Service) mayBeMailed(ctx context.Context, tx pgx.Tx, a smtp.Address) (bool, error) {
	o, err := ownAddress(ctx, tx, a)
	if err != nil {
		return false, err
	}
	known, err := selectKnown(ctx, tx, a.Key())
	if err != nil {
		return false, fmt.Errorf("address %s: %w", a, err)
	}
	return known && !o.Ours, nil
}

// SignInByToken signs in with a mailed link. It proves the address: who signs in with it for the
// first time becomes a person.
func (s *Service) SignInByToken(ctx context.Context, secret, client string) (sessionToken string, p Person, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		t, err := s.takeToken(ctx, tx, secret, PurposeSignIn)
		if err != nil {
			return err
		}
		id, err := s.personOf(ctx, tx, t)
		if err != nil {
			return err
		}
		if sessionToken, err = s.startSession(ctx, tx, id, client); err != nil {
			return err
		}
		_, p, err = s.actor(ctx, tx, id, client)
		return err
	})
	if err != nil {
		return "", Person{}, s.noteBadToken(ctx, client, err)
	}
	return sessionToken, p, nil
}

// personOf is the person of an address that was just proved, made now if there is none.
func (s *Service) personOf(ctx context.Context, tx pgx.Tx, t token) (int64, error) {
	id, err := selectPersonByKey(ctx, tx, t.Key)
	if err == nil {
		err = verifyAddress(ctx, tx, t.Key)
	}
	if noRows(err) {
		id, err = insertPerson(ctx, tx, personRow{Key: t.Key, Address: t.Params.Address})
	}
	if err != nil {
		return 0, fmt.Errorf("person %s: %w", t.Params.Address, err)
	}
	return id, nil
}
