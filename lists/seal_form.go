package lists

import "time"

// sealForm is the purpose of a seal that says when a form was handed out.
const sealForm = 2

// Form is the seal of a list's public form, handed out at a moment: a form that comes back with it
// was read here, and it is known how long ago.
func (s *Sealer) Form(list int64, at time.Time) string {
	return s.seal(sealForm, list, Seal{Member: at.Unix(), Day: SealDay(at)})
}

// VerifyForm is when a form of a list was handed out; false if Muster did not seal it.
func (s *Sealer) VerifyForm(list int64, seal string) (time.Time, bool) {
	c, ok := s.verify(sealForm, list, seal)
	return time.Unix(c.Member, 0), ok
}
