package admin

import (
	"muster/lists"
)

// leavePage asks once whether somebody wants to leave. The link is that of a mail, and needs no
// sign-in.
type leavePage struct {
	frame
	Seal    string
	Address string
	List    lists.List
}

func (s *Site) showLeave(v *visit) error {
	v.private()
	seal := v.param("seal")
	list, address, err := s.lists.ReadLeaveSeal(v.Request().Context(), seal)
	if err != nil {
		return err
	}
	return v.ok("leave", leavePage{frame: v.titled("leave.title"), Seal: seal, Address: address, List: list})
}

// leave acts, for the button of the page and for the one of a mail program, which posts
// List-Unsubscribe=One-Click (RFC 8058 §3.1). Both mean the same, so the body is not looked at; a
// mail program wants no redirect and gets none.
func (s *Site) leave(v *visit) error {
	v.private()
	list, address, err := s.lists.LeaveBySeal(v.Request().Context(), v.param("seal"), v.actor.Client)
	if err != nil {
		return err
	}
	return s.showConfirmed(v, lists.Confirmed{Purpose: lists.PurposeLeave, List: list, Address: address})
}
