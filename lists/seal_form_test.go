package lists

import (
	"bytes"
	"testing"
	"time"
)

func TestFormSeal(t *testing.T) {
	t.Parallel()
	s := newSealer([]siteKey{{ID: 1, Secret: bytes.Repeat([]byte{7}, 32)}})
	at := time.Unix(1_795_464_000, 0)
	seal := s.Form(5, at)
	if got, ok := s.VerifyForm(5, seal); !ok || !got.Equal(at) {
		t.Errorf("handed out at %v, %v; want %v", got, ok, at)
	}
	if _, ok := s.VerifyForm(6, seal); ok {
		t.Error("the form of one list is good for another")
	}
	if _, ok := s.VerifyLeave(5, seal); ok {
		t.Error("a form's seal leaves a list")
	}
	if _, ok := s.VerifyForm(5, s.Leave(5, at.Unix())); ok {
		t.Error("a link to leave is good as a form's seal")
	}
}
