package lists

import (
	"testing"

	"muster/migrations/testdb"
	"muster/smtp"
)

// TestMailKnowsOneList gives unproved mail no right but to know of the list that it was sent to.
func TestMailKnowsOneList(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := New(testdb.New(t), Config{})
	var quiet [2]List
	for i, local := range []string{"one", "two"} {
		l, err := s.CreateList(ctx, CLI(), NewList{Address: smtp.Address{Local: local, Domain: "lists.example"}})
		if err != nil {
			t.Fatal(err)
		}
		if quiet[i], err = s.SetList(ctx, CLI(), l.ID, []Change{{Key: "advertised", Value: "false"}}); err != nil {
			t.Fatal(err)
		}
	}
	by := mailTo(quiet[0].ID)
	if rights, err := s.May(ctx, by, quiet[0].ID); err != nil || rights != (Rights{}) {
		t.Errorf("to its list: %+v, %v", rights, err)
	}
	if _, err := s.May(ctx, by, quiet[1].ID); KindOf(err) != NotFound {
		t.Errorf("to another: %v", err)
	}
	if err := s.RemoveList(ctx, by, quiet[0].ID); KindOf(err) != Denied {
		t.Errorf("removes its list: %v", err)
	}
}
