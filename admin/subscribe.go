package admin

import (
	"context"
	"net/url"
	"strings"
	"time"

	"muster/lists"
)

// subscribeForm is what somebody who wants to join fills in.
type subscribeForm struct {
	Address string
	Name    string
	trap    string // an input that people do not see
	token   string
}

func readSubscribeForm(f url.Values) subscribeForm {
	return subscribeForm{
		Address: strings.TrimSpace(f.Get("address")), Name: strings.TrimSpace(f.Get("name")),
		trap: f.Get("website"), token: f.Get("form"),
	}
}

// A form is good for a day. One that comes back faster than a person types waits until it has the
// age of one that a person sent: who reads pages by machine gets no further by hurrying.
const (
	formLife = 24 * time.Hour
	formAge  = time.Second
)

// askedPage says that the answer is in the mail, whoever the address belongs to.
type askedPage struct {
	frame
	List    lists.List
	Address string
	What    string
}

func (s *Site) subscribe(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := readSubscribeForm(values)
	if err := s.subscribeWith(v, form); err != nil {
		errs, code, err := v.refused(err, "address", "name")
		if err != nil {
			return err
		}
		return s.renderList(v, code, listPage{Form: form, Errors: errs})
	}
	p := askedPage{frame: v.titled("asked.join.title"), List: v.list, Address: form.Address,
		What: v.words.Text("asked.join."+v.list.JoinPolicy, nil)}
	return v.ok("asked", p)
}

// subscribeWith asks the service, unless the form was filled in by a machine: that one is answered
// as everybody is.
func (s *Site) subscribeWith(v *visit, form subscribeForm) error {
	box, err := mailbox("address", form.Address)
	if err != nil {
		return err
	}
	if err := s.checkFormAge(v, form.token); err != nil {
		return err
	}
	if form.trap != "" {
		return nil
	}
	if form.Name != "" {
		box.Name = form.Name
	}
	return s.lists.Subscribe(v.Request().Context(), lists.Subscription{
		List: v.list.ID, Mailbox: box, Client: v.actor.Client, How: lists.ConsentWeb, Language: v.words.Lang, From: v.actor,
	})
}

func (s *Site) checkFormAge(v *visit, token string) error {
	ctx := v.Request().Context()
	sealer, err := s.lists.Sealer(ctx)
	if err != nil {
		return err
	}
	made, ok := sealer.VerifyForm(v.list.ID, token)
	age := s.cfg.Now().Sub(made)
	if !ok || age > formLife {
		return lists.Errorf(lists.Invalid, "site.oldform", "this form is too old; please send it again")
	}
	return sleep(ctx, formAge-age)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
