package admin

import (
	"net/http"
	"net/url"
	"strings"

	"muster/lists"
)

// addMembersPage adds members, one a line.
type addMembersPage struct {
	listFrame
	Form   addMembersForm
	Report *addReport
	Errors formErrors
}

type addMembersForm struct {
	Members string
	Welcome bool
	Again   bool
}

// addReport is what became of the lines.
type addReport struct {
	Added    int
	Already  int
	Refusals []addRefusal
}

// addRefusal is a line that was not taken, and why.
type addRefusal struct{ Text, Reason string }

// maxAddLines is how many lines the form takes; what is longer is a file to import.
const maxAddLines = 200

func readAddMembersForm(f url.Values) addMembersForm {
	return addMembersForm{Members: f.Get("members"), Welcome: f.Has("welcome"), Again: f.Has("again")}
}

func (f addMembersForm) lines() []string {
	var lines []string
	for line := range strings.Lines(f.Members) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (s *Site) showAddMembers(v *visit) error {
	return s.renderAddMembers(v, http.StatusOK, addMembersPage{})
}

func (s *Site) renderAddMembers(v *visit, code int, p addMembersPage) error {
	p.listFrame = v.listFrame("members")
	return v.show(code, "member-add", p)
}

func (s *Site) addMembers(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := readAddMembersForm(values)
	lines := form.lines()
	if wrong := checkAddLines(len(lines)); wrong != "" {
		text := v.words.Text(wrong, map[string]any{"Max": maxAddLines})
		return s.renderAddMembers(v, http.StatusUnprocessableEntity, addMembersPage{Form: form, Errors: formErrors{"members": text}})
	}
	report, err := s.addLines(v, form, lines)
	if err != nil {
		return err
	}
	if len(report.Refusals) == 0 && report.Already == 0 {
		return v.done(v.manageURL("members"), "members.added", "N", v.words.Number(int64(report.Added)))
	}
	form.Members = report.rest()
	code := http.StatusOK
	if report.Added == 0 && report.Already == 0 {
		code = http.StatusUnprocessableEntity
	}
	return s.renderAddMembers(v, code, addMembersPage{Form: form, Report: &report})
}

func checkAddLines(n int) (wrong string) {
	switch {
	case n == 0:
		return "add.none"
	case n > maxAddLines:
		return "add.toomany"
	}
	return ""
}

// addLines adds each line on its own: a wrong one does not keep the others out.
func (s *Site) addLines(v *visit, form addMembersForm, lines []string) (addReport, error) {
	var report addReport
	for _, line := range lines {
		err := s.addLine(v, form, line)
		switch lists.KindOf(err) {
		case lists.Exists:
			report.Already++
			continue
		case lists.Invalid, lists.Conflict:
			report.Refusals = append(report.Refusals, addRefusal{Text: line, Reason: v.sentence(status(err), err)})
			continue
		}
		if err != nil {
			return report, err
		}
		report.Added++
	}
	return report, nil
}

func (s *Site) addLine(v *visit, form addMembersForm, line string) error {
	box, err := mailbox("members", line)
	if err != nil {
		return err
	}
	_, err = s.lists.AddMember(v.Request().Context(), v.actor, v.list.ID, lists.NewMember{Mailbox: box, Welcome: form.Welcome, Again: form.Again})
	return err
}

// rest are the lines to be mended.
func (r addReport) rest() string {
	var b strings.Builder
	for _, refusal := range r.Refusals {
		b.WriteString(refusal.Text)
		b.WriteByte('\n')
	}
	return b.String()
}
