package admin

import (
	"fmt"
	"html/template"
	"net/http"

	"muster/lists"
	"muster/smtp"
)

// listPage says what a list is for, how to post, join and leave.
type listPage struct {
	frame
	List        lists.List
	Rights      lists.Rights
	Form        subscribeForm
	Errors      formErrors
	Token       string // seals when the form was handed out
	Leave       string // what was typed into the form that leaves
	LeaveErrors formErrors
}

// MailTo is a link that writes to an address.
func (listPage) MailTo(a smtp.Address) template.HTML {
	text := template.HTMLEscapeString(a.String())
	return template.HTML(fmt.Sprintf(`<a class="addr" href="mailto:%s">%s</a>`, text, text))
}

func (s *Site) showList(v *visit) error {
	return s.renderList(v, http.StatusOK, listPage{})
}

// renderList shows the page with what is in p of forms that were tried.
func (s *Site) renderList(v *visit, code int, p listPage) error {
	sealer, err := s.lists.Sealer(v.Request().Context())
	if err != nil {
		return err
	}
	p.frame = v.frame(v.list.Title())
	p.Path = "/lists/" + v.list.Address().String()
	p.List, p.Rights = v.list, v.rights
	if p.Token == "" {
		p.Token = sealer.Form(v.list.ID, s.cfg.Now())
	}
	if p.Form.Address == "" && p.Errors == nil {
		p.Form = subscribeForm{Address: v.person.Address, Name: v.person.Name}
	}
	return v.show(code, "list", p)
}
