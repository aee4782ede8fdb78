package admin

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"muster/lists"
	"muster/lists/verdict"
	"muster/templates"
)

// evil stands in every text of every page: none of it may get out of its place.
const evil = `"'><script>alert(1)</script>`

func samplePages() map[string]any {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := now.Add(-3 * time.Hour)
	f := frame{Lang: "en", Title: evil, Path: "/x?" + evil, Person: lists.Person{ID: 1, Address: "a@b.example", Name: evil, Admin: true, Password: true}, Flash: evil, Now: now}
	list := lists.List{ID: 1, Local: "garden", Domain: "lists.example", Name: evil, Description: evil, JoinPolicy: "confirm", PostPolicy: "members", Created: ago}
	all := lists.Rights{Admin: true, Owner: true, Moderator: true, Member: true}
	lf := listFrame{frame: f, List: list, Rights: all, Tab: "members"}
	errs := formErrors{"": evil, "answer": evil, "text": evil, "subject": evil, "forward": evil, "address": evil, "name": evil, "members": evil, "file": evil, "reason": evil, "owner": evil, "domain": evil, "password": evil, "leave": evil, "mail": evil}
	post := lists.Post{ID: uuid.New(), Ref: "abc", State: "held", Arrived: ago, Sender: evil, Author: evil, Subject: evil, Size: 5 << 20, Since: ago, HeldFor: evil, ClaimedBy: evil, Claimed: &ago}
	input := settingInput{Key: "verp", Error: evil, Number: &number{Value: evil}, Choices: []choice{{Value: evil, Label: evil, Hint: evil, Chosen: true}}}
	text := settingInput{Key: "name", Field: templates.Field{Name: "name", Type: "text", Label: "x", Hint: evil, Value: evil, Error: evil}}
	piece := progressPiece{Running: true, Bar: bar{1, 2}, Fanout: &Fanout{Planned: true, Copies: 2, Delivered: 1, Waiting: 1, Replies: []Answer{{Host: evil, Reply: evil, Copies: 1}}, Reports: []Reported{{Kind: "delivered", Copies: 40}, {Kind: "displayed", Copies: 10_000, More: true}}}}
	banned := bansPiece{Base: evil, Bans: []lists.Ban{{Pattern: evil, Action: "hold", Note: evil, Actor: evil, At: ago}}, Next: evil, Form: banForm{evil, "hold", evil}, Choices: input.Choices, Errors: errs}
	return map[string]any{
		"lists":       listsPage{frame: f, Lists: []lists.List{list}, First: true, Next: evil},
		"list":        listPage{frame: f, List: list, Rights: all, Form: subscribeForm{Address: evil, Name: evil}, Errors: errs, Token: evil, Leave: evil, LeaveErrors: errs},
		"asked":       askedPage{frame: f, List: list, Address: evil, What: evil},
		"confirm":     confirmPage{frame: f, Token: evil, Purpose: "join", Address: evil, List: list},
		"confirmed":   confirmedPage{frame: f, List: list, What: evil, Next: evil},
		"leave":       leavePage{frame: f, Seal: evil, Address: evil, List: list},
		"signin":      signInPage{frame: f, Asked: true, Next: evil, Address: evil, Mail: evil, Errors: errs, LinkErrors: errs},
		"signin-sent": signInSentPage{frame: f, Address: evil},
		"signin-link": signInLinkPage{frame: f, Token: evil, Address: evil},
		"error":       errorPage{frame: f, Status: 404, What: evil, Advice: evil},
		"account":     accountPage{frame: f, Sessions: []lists.Session{{ID: 1, Made: ago, Seen: now, Client: evil}}, Errors: errs},
		"mine":        minePage{frame: f, List: list, Address: evil, Others: []string{evil}, Settings: []settingInput{text, {Key: "mode", Error: evil, Choices: input.Choices}}, Errors: errs},
		"manage":      managePage{frame: f, All: true, Lists: []myList{{List: list, Rights: all}}, First: true, Next: evil},
		"new":         newListPage{frame: f, Form: newListForm{evil, evil, evil, evil}, Errors: errs},
		"settings":    settingsPage{listFrame: lf, Settings: []settingInput{text, input}, Errors: errs},
		"texts":       textsPage{listFrame: lf, Texts: []textRow{{Kind: "welcome", Texts: []textLink{{"en", ofList}, {"de", ofMuster}}}}},
		"text":        textPage{listFrame: lf, Kind: "welcome", Language: "en", Of: ofDomain, Own: true, Source: evil, Names: []string{"Address"}, Sample: evil, Errors: formErrors{"": evil, "source": evil}},
		"remove":      removeListPage{frame: f, List: list, Errors: errs},
		"roles":       rolesPage{listFrame: lf, Roles: []lists.Role{{Address: evil, Role: "owner"}}, Form: roleForm{evil, "moderator"}, Errors: errs},
		"members":     membersPage{listFrame: lf, Search: evil, Members: []lists.Member{{Address: evil, Name: evil, State: "bounce", Mode: "each", Hidden: true, Joined: ago}}, Count: 10000, CountCapped: true, Before: evil, After: evil},
		"member-add":  addMembersPage{listFrame: lf, Form: addMembersForm{Members: evil, Welcome: true, Again: true}, Report: &addReport{Added: 1, Already: 2, Refusals: []addRefusal{{evil, evil}}}, Errors: errs},
		"member":      memberPage{listFrame: lf, Member: lists.Member{Address: evil, Name: evil, Joined: ago, Score: 2}, Settings: []settingInput{{Key: "mode", Choices: input.Choices}}, Errors: errs},
		"import":      importPage{listFrame: lf, DryRun: true, Report: &lists.ImportReport{Added: 1, Already: 1, Refused: 1, Refusals: []lists.Refusal{{Line: 2, Text: evil, Reason: evil}}}, Errors: errs},
		"joins":       joinsPage{listFrame: lf, Requests: []lists.JoinRequest{{ID: 1, Address: evil, Name: evil, Asked: ago}}, Next: 1},
		"bans":        bansPage{lf, banned},
		"site":        sitePage{f, banned, []settingInput{text}},
		"posts":       postsPage{listFrame: lf, Posts: []postRow{{post, evil}}, Next: evil},
		"moderation":  moderationPage{listFrame: lf, Answers: []lists.Canned{{Name: evil, Text: evil}}, Trusted: []lists.Trusted{{Address: evil, By: evil, Since: ago}}, Next: evil, Form: lists.Canned{Name: evil, Text: evil}, Address: evil, Errors: errs},
		"post": postPage{listFrame: lf, Post: post, Decisions: []decision{{ago, evil, "hold", evil, []step{{evil, evil, "hold", true}, {Asked: evil, Found: evil}}}}, Reason: evil, Errors: errs, progressPiece: piece,
			HeldFor: evil, Answers: []lists.Canned{{Name: evil}}, Parts: []droppable{{1, evil, evil, 5, true}, {N: 2}}, Subject: evil, Forward: evil,
			Mail: letter{From: evil, To: evil, Date: evil, Text: evil, Attachments: []attachment{{evil, evil, 1}}, Cut: true, Raw: true}},
		"domains": domainsPage{frame: f, Domains: []lists.Domain{{Name: evil, Created: ago}}, Form: evil, Errors: errs},
		"persons": personsPage{frame: f, Persons: []lists.Person{{Address: evil, Name: evil, Admin: true, Created: ago}}, Next: 1, Form: personForm{Address: evil, Name: evil, Admin: true}, Errors: errs},
		"queue":   queuePage{frame: f, Backlog: &Backlog{Oldest: ago, Nodes: []Node{{Name: evil, Since: ago, Seen: now}}, Destinations: []Destination{{Name: evil, Oldest: ago, Blocked: now, Reply: evil, Connections: 1, Limit: 2, Host: evil, Words: evil, Said: ago}}}},
	}
}

// TestPages renders every page there is, filled and empty, in every language.
func TestPages(t *testing.T) {
	t.Parallel()
	pages, err := templates.NewPages()
	if err != nil {
		t.Fatal(err)
	}
	table := samplePages()
	if names := slices.Sorted(maps.Keys(table)); !slices.Equal(names, templates.PageNames()) {
		t.Errorf("the table has %v, templates/web has %v", names, templates.PageNames())
	}
	for name, filled := range table {
		for _, lang := range templates.Languages() {
			body, err := pages.Render(lang, name, filled)
			if err != nil {
				t.Error(err)
				continue
			}
			if strings.Contains(string(body), "<script>") {
				t.Errorf("%s in %s: a text got out of its place", name, lang)
			}
			if strings.Contains(string(body), "ZgotmplZ") {
				t.Errorf("%s in %s: a value where none is safe", name, lang)
			}
			if _, err := pages.Render(lang, name, empty(filled)); err != nil {
				t.Errorf("empty: %v", err)
			}
		}
	}
}

// empty is a page of the same type as nobody sees it but somebody new.
func empty(page any) any {
	v := reflect.New(reflect.TypeOf(page)).Elem()
	switch page.(type) {
	case confirmPage: // there is none without a purpose
		return page
	case listPage:
		return listPage{List: lists.List{JoinPolicy: "closed", PostPolicy: "anyone"}}
	}
	return v.Interface()
}

// TestMails renders every kind of notice the lists have, with parameters as they are stored.
func TestMails(t *testing.T) {
	t.Parallel()
	kinds := map[string]any{
		lists.NoticeJoinConfirm:   lists.ConfirmParams{Token: "t", URL: "https://lists.example/confirm/t", Reply: "garden-confirm+t@lists.example"},
		lists.NoticeLeaveConfirm:  lists.ConfirmParams{Token: "t", URL: "https://lists.example/confirm/t", Reply: "garden-confirm+t@lists.example"},
		lists.NoticeSignIn:        lists.SignInParams{URL: "https://lists.example/signin/t", Minutes: 15},
		lists.NoticeWelcome:       lists.MemberParams{URL: "https://lists.example/lists/garden@lists.example", LeaveURL: "https://lists.example/leave/s"},
		lists.NoticeAlreadyMember: lists.MemberParams{},
		lists.NoticeGoodbye:       lists.MemberParams{URL: "https://lists.example/lists/garden@lists.example"},
		lists.NoticeMemberJoined:  lists.AboutMemberParams{Address: "bob@member.example", Name: "Bob"},
		lists.NoticeJoinRequest:   lists.JoinRequestParams{Address: "bob@member.example", URL: "https://lists.example/manage", Reply: "garden-confirm+t@lists.example"},
		lists.NoticePostHeld:      lists.PostHeldParams{Subject: "Tulips", MessageID: "<1@member.example>", Reason: "moderation", Days: 30},
		lists.NoticePostExpired:   lists.PostHeldParams{MessageID: "<1@member.example>", Reason: "moderation", Days: 1},
		lists.NoticePostConfirm:   lists.PostConfirmParams{Subject: "Tulips", URL: "https://lists.example/confirm/t", Reply: "garden-confirm+t@lists.example"},
		lists.NoticePostForwarded: lists.PostForwardedParams{Author: "eve@evil.example", By: "ann@a.example"},
		lists.NoticeModerated:     lists.ModeratedParams{Outcome: lists.OutcomeDecided, About: "Tulips", Actor: "ann@a.example", Reply: "garden-confirm+t@lists.example"},
		lists.NoticeWaiting: lists.WaitingParams{
			Held:   []lists.WaitingPost{{Author: "eve@evil.example", Since: time.Now(), Reason: "moderation", Reply: "garden-confirm+t@lists.example"}},
			Others: 3, More: true, Requests: 2, URL: "https://lists.example/manage", JoinsURL: "https://lists.example/manage"},
		lists.NoticeJoinRefused:    lists.RefusedParams{},
		lists.NoticeHeld:           lists.HeldParams{Author: "eve@evil.example", Size: 5, Reason: "moderation", URL: "https://lists.example/manage"},
		lists.NoticePostRejected:   lists.PostRejectedParams{Subject: "Tulips", MessageID: "<1@member.example>", Reason: "Off topic"},
		lists.NoticePostRefused:    lists.PostRefusedParams{Reason: "not-member", Sentence: "Only members may post."},
		lists.NoticeCommandAnswer:  lists.CommandAnswerParams{Results: []lists.CommandResult{{Line: "join", Outcome: lists.OutcomeConfirm}}, Help: true, Options: []lists.CommandOption{{Key: "mode", Values: "each, none"}}},
		lists.NoticeCommandConfirm: lists.CommandConfirmParams{Token: "t", Reply: "dev-confirm+t@lists.example", Commands: []string{"set mode=none"}},
		lists.NoticeLate: lists.LateParams{
			Copies: 12, More: true, Others: 1,
			Posts:  []lists.LatePost{{Subject: "Tulips", Accepted: time.Now(), Copies: 12, Aside: true, URL: "https://lists.example/posts/t"}},
			Places: []lists.LatePlace{{Name: "member.example", Copies: 12, Host: "mx.member.example", Reply: "451 4.3.0 Try again later"}},
		},
		lists.NoticeStopped: lists.StoppedParams{
			Subject: "Tulips", Answered: 1500, Refused: 1000, Host: "mx.member.example", Answer: "550 5.7.1 No", URL: "https://lists.example/posts/t",
		},
	}
	if have := slices.Sorted(maps.Keys(kinds)); !slices.Equal(have, templates.MailKinds()) {
		t.Errorf("the table has %v, templates/mail has %v", have, templates.MailKinds())
	}
	for kind, params := range kinds {
		names, err := templates.MailNames(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names { // what passes the check has to pass when it counts
			if _, ok := stored(t, params)[name]; !ok {
				t.Errorf("%s is said to know %s, and does not", kind, name)
			}
		}
		for _, lang := range templates.Languages() {
			subject, text, err := templates.Mail(kind, lang, stored(t, params))
			if err != nil {
				t.Error(err)
			} else if subject == "" || strings.Contains(text, "<no value>") {
				t.Errorf("%s in %s: %q\n%s", kind, lang, subject, text)
			}
		}
	}
}

// stored is what the fan-out makes of parameters that went through the database.
func stored(t *testing.T, params any) map[string]any {
	t.Helper()
	data := map[string]any{
		"Hostname": "mail.example", "BaseURL": "https://lists.example", "Address": "bob@member.example", "ListTitle": "Garden club",
		"ListAddress": "garden@lists.example", "ListURL": "https://lists.example/lists/garden@lists.example",
		"OwnerAddress": "garden-owner@lists.example", "PostmasterAddress": "postmaster@lists.example", "RequestAddress": "garden-request@lists.example", "LeaveAddress": "garden-leave@lists.example",
	}
	text, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRulesHaveWords: each rule is asked, answered and named as a reason in each language.
func TestRulesHaveWords(t *testing.T) {
	t.Parallel()
	for _, lang := range templates.Languages() {
		words, err := templates.In(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range verdict.Rules() {
			for _, answer := range r.Answers {
				asked, found := words.Step(r.Name, answer, nil)
				if asked == "rule."+r.Name || asked == "" || found == answer {
					t.Errorf("%s: %s %s is %q, %q", lang, r.Name, answer, asked, found)
				}
				code := verdict.Decision{Reason: r.Name, Answer: answer}.Code()
				if !words.Has("reason." + code) {
					t.Errorf("%s: nothing says reason.%s", lang, code)
				}
			}
		}
		for _, code := range []string{verdict.BadRule, verdict.BadPattern, verdict.BadAddress, verdict.BadField, verdict.BadNumber, verdict.BadSize, verdict.BadRate, verdict.BadType, verdict.BadMany} {
			if !words.Has("error.setting.bad." + code) {
				t.Errorf("%s: nothing says error.setting.bad.%s", lang, code)
			}
		}
	}
}

// TestCodesHaveWords: what the lists can answer is in the catalogues.
func TestCodesHaveWords(t *testing.T) {
	t.Parallel()
	words, err := templates.In("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, outcome := range []string{lists.OutcomeConfirm, lists.OutcomeMaybe, lists.OutcomeNoMember, lists.OutcomeDone, lists.OutcomeBefore, lists.OutcomeWaits, lists.OutcomeClosed, lists.OutcomeExpired, lists.OutcomeLimited, lists.OutcomeRefused, lists.OutcomeHelp, lists.OutcomeEnd, lists.OutcomeUnknown,
		lists.OutcomeAnswered, lists.OutcomeRest, lists.OutcomeOption, lists.OutcomeEcho, lists.OutcomeInfo, lists.OutcomeWho, lists.OutcomeWhich, lists.OutcomeSet, lists.OutcomeStats, lists.OutcomePending, lists.OutcomeNothing,
		lists.OutcomeRoster, lists.OutcomeOwners, lists.OutcomeAddress, lists.OutcomeMember, lists.OutcomeGone, lists.OutcomeNobody} {
		if !words.Has("outcome." + outcome) {
			t.Errorf("no words for the outcome %s", outcome)
		}
	}
	for prefix, table := range map[string][]lists.Setting{"setting.": lists.Settings(), "member.": lists.MemberSettings()} {
		for _, s := range table {
			ids := []string{prefix + s.Key}
			for _, value := range s.Values {
				ids = append(ids, prefix+s.Key+"."+value)
			}
			if prefix == "member." && s.Key == "name" {
				continue // is form.name
			}
			for _, id := range ids {
				_, value, _ := strings.Cut(strings.TrimPrefix(id, prefix), ".")
				if !words.Has(id) && !words.Has("action."+value) {
					t.Errorf("no words for %s", id)
				}
			}
		}
	}
}
