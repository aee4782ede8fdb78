package lists

import (
	"context"
	"time"
)

// expnRefresh is how old the answer to "is EXPN of use here?" may get.
const expnRefresh = 2 * time.Second

// WatchExpn keeps up to date for whom EXPN is of use, until ctx ends: EHLO must be able to say so
// without waiting for the database.
func (s *Service) WatchExpn(ctx context.Context) {
	tick := time.NewTicker(expnRefresh)
	defer tick.Stop()
	for {
		if err := s.RefreshExpn(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "EXPN is offered as before", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// RefreshExpn asks once.
func (s *Service) RefreshExpn(ctx context.Context) error {
	use, err := selectExpnUse(ctx, s.pool)
	if err != nil {
		return err
	}
	s.expn.Store(&use)
	return nil
}

// OffersExpn says whether some list may be expanded by such an asker, so that EHLO lists EXPN
// (RFC 5321 §3.5.2). It never waits.
func (s *Service) OffersExpn(who Asker) bool {
	use := s.expn.Load()
	if use == nil { // not known yet: those who mostly may are told so
		return !who.isStranger()
	}
	if who.isStranger() {
		return use.Anyone
	}
	return use.Some
}
