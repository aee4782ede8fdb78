package inbound_test

import (
	"testing"

	"muster/smtp/smtpserver"
)

// What is said to those who are told nothing, and the other answers of which there is but one.
const (
	cannotSay = "252 2.5.2 Cannot say; send mail and it will be tried"
	elsewhere = "252 2.5.2 Cannot say"
	denied    = "550 5.7.1 Access denied to you"
	noMembers = "550 5.1.1 That list has no members"
	nobody    = "550 5.1.1 There is no such address here"
	notAList  = "550 5.1.1 That is a user name, not a mailing list"
	needsUTF8 = "252 2.6.8 The answer is not ASCII; ask with SMTPUTF8"
)

// TestTable asks everything of the table of EXPN and VRFY in the design, as everybody in it: who
// is on a trusted network, a member and an owner of the list by AUTH, somebody else by AUTH, and a
// stranger.
func TestTable(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.list("anne@one.example", nil) // a second domain, so that there is no only one
	dev := h.list("dev@lists.example", map[string]string{"name": "Developers"}, "owner@a.example")
	h.add(dev, "Fred Foo <fred@doc.example>", "bob@b.example", "-hid@h.example", "local@lists.example")
	h.add(h.list("outer@lists.example", nil, "owner@a.example"), "dev@lists.example", "bob@b.example")
	h.add(h.list("open@lists.example", map[string]string{"expn": "anyone", "post_policy": "anyone"}, "owner@a.example"), "x@x.example")
	h.list("openempty@lists.example", map[string]string{"expn": "anyone"}, "owner@a.example")
	h.add(h.list("own@lists.example", map[string]string{"expn": "owners"}, "owner@a.example"), "bob@b.example")
	h.add(h.list("shut@lists.example", map[string]string{"expn": "nobody"}, "owner@a.example"), "bob@b.example")
	h.add(h.list("none@lists.example", map[string]string{"expn": "members"}, "owner@a.example", "bob@b.example"))
	h.add(h.list("hidden@lists.example", nil, "owner@a.example"), "-hid@h.example", "-bob@b.example")
	h.add(h.list("intl@lists.example", nil, "owner@a.example"), "Jérôme <jérôme@d.example>", "Zoë <bob@b.example>")
	h.list("twin@one.example", map[string]string{"name": "First"})
	h.list("twin@two.example", map[string]string{"name": "Second", "advertised": "false"}, "owner@a.example")
	h.add(h.list("only@two.example", nil, "owner@a.example"), "bob@b.example")
	for _, p := range []string{"bob@b.example", "owner@a.example", "out@o.example"} {
		h.person(p)
	}

	near := h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")
	far := h.serve(&smtpserver.Server{Limits: smtpserver.Limits{Questions: 1000, Idle: 1000}}, "tcp")
	trusted := h.talk(near(), "EHLO me.example")
	member := h.talk(far(), "EHLO me.example", auth("bob@b.example"))
	owner := h.talk(far(), "EHLO me.example", auth("owner@a.example"))
	other := h.talk(far(), "EHLO me.example", auth("out@o.example"))
	stranger := h.talk(far(), "EHLO me.example")

	const (
		bob     = "250-2.1.5 <bob@b.example> / "
		devSeen = bob + "250-2.1.5 Fred Foo <fred@doc.example> / 250 2.1.5 <local@lists.example>"
		devAll  = bob + "250-2.1.5 Fred Foo <fred@doc.example> / 250-2.1.5 <hid@h.example> / 250 2.1.5 <local@lists.example>"
		onlyBob = "250 2.1.5 <bob@b.example>"
		onlyX   = "250 2.1.5 <x@x.example>"
		devVRFY = "250 2.1.5 Developers <dev@lists.example>"
	)
	for _, tt := range []struct{ ask, trusted, member, owner, other, stranger string }{
		// EXPN list
		{"EXPN dev@lists.example", devSeen, devSeen, devAll, denied, cannotSay},
		{"EXPN <DEV@Lists.Example>", devSeen, devSeen, devAll, denied, cannotSay},
		{"EXPN outer@lists.example", "250-2.1.5 <bob@b.example> / 250 2.1.5 <dev@lists.example>", "250-2.1.5 <bob@b.example> / 250 2.1.5 <dev@lists.example>",
			"250-2.1.5 <bob@b.example> / 250 2.1.5 <dev@lists.example>", denied, cannotSay},
		{"EXPN open@lists.example", onlyX, onlyX, onlyX, onlyX, onlyX},
		{"EXPN own@lists.example", onlyBob, denied, onlyBob, denied, cannotSay},
		{"EXPN intl@lists.example", needsUTF8, needsUTF8, needsUTF8, denied, cannotSay},
		{"EXPN intl@lists.example SMTPUTF8", "250-2.1.5 Zoë <bob@b.example> / 250 2.1.5 Jérôme <jérôme@d.example>", "250-2.1.5 Zoë <bob@b.example> / 250 2.1.5 Jérôme <jérôme@d.example>",
			"250-2.1.5 Zoë <bob@b.example> / 250 2.1.5 Jérôme <jérôme@d.example>", denied, cannotSay},
		// EXPN list without members
		{"EXPN none@lists.example", noMembers, noMembers, noMembers, denied, cannotSay},
		{"EXPN openempty@lists.example", noMembers, noMembers, noMembers, noMembers, "252 2.5.2 *"},
		// all of whose members hide from the asker
		{"EXPN hidden@lists.example", cannotSay, cannotSay, "250-2.1.5 <bob@b.example> / 250 2.1.5 <hid@h.example>", denied, cannotSay},
		// EXPN list-owner
		{"EXPN dev-owner@lists.example", "250 2.1.5 <owner@a.example>", "250 2.1.5 <owner@a.example>", "250 2.1.5 <owner@a.example>", denied, cannotSay},
		{"EXPN none-owner@lists.example", "250-2.1.5 <bob@b.example> / 250 2.1.5 <owner@a.example>", "250-2.1.5 <bob@b.example> / 250 2.1.5 <owner@a.example>",
			"250-2.1.5 <bob@b.example> / 250 2.1.5 <owner@a.example>", denied, cannotSay},
		// EXPN list with expn = nobody
		{"EXPN shut@lists.example", cannotSay, cannotSay, cannotSay, cannotSay, cannotSay},
		{"EXPN shut-owner@lists.example", cannotSay, cannotSay, cannotSay, cannotSay, cannotSay},
		// EXPN a person's address
		{"EXPN fred@doc.example", notAList, elsewhere, notAList, elsewhere, cannotSay},
		{"EXPN local@lists.example", notAList, cannotSay, notAList, cannotSay, cannotSay},
		// unknown in a served domain
		{"EXPN nosuch@lists.example", nobody, nobody, nobody, nobody, cannotSay},
		{"VRFY nosuch@lists.example", nobody, nobody, nobody, nobody, cannotSay},
		// bare local part
		{"EXPN only", onlyBob, onlyBob, onlyBob, denied, cannotSay},
		{"EXPN twin", "550 5.1.4 Ambiguous: give the domain", denied, "550 5.1.4 Ambiguous: give the domain", denied, cannotSay},
		{"VRFY twin", "553-5.1.4 Ambiguous; Possibilities are / 553-5.1.4 First <twin@one.example> / 553 5.1.4 Second <twin@two.example>", cannotSay,
			"553-5.1.4 Ambiguous; Possibilities are / 553-5.1.4 First <twin@one.example> / 553 5.1.4 Second <twin@two.example>", cannotSay, cannotSay},
		{"EXPN nosuch", nobody, nobody, nobody, nobody, cannotSay},
		{"VRFY nosuch", nobody, nobody, nobody, nobody, cannotSay},
		{"VRFY dev", devVRFY, devVRFY, devVRFY, cannotSay, cannotSay},
		// VRFY list, role address, postmaster
		{"VRFY dev@lists.example", devVRFY, devVRFY, devVRFY, cannotSay, cannotSay},
		{"VRFY open@lists.example", "250 2.1.5 <open@lists.example>", "250 2.1.5 <open@lists.example>", "250 2.1.5 <open@lists.example>", "250 2.1.5 <open@lists.example>", cannotSay},
		{"VRFY dev-owner@lists.example", "250 2.1.5 Developers owners <dev-owner@lists.example>", "250 2.1.5 Developers owners <dev-owner@lists.example>",
			"250 2.1.5 Developers owners <dev-owner@lists.example>", "250 2.1.5 Developers owners <dev-owner@lists.example>", cannotSay},
		{"VRFY postmaster@lists.example", "250 2.1.5 Postmaster <postmaster@lists.example>", "250 2.1.5 *", "250 2.1.5 *", "250 2.1.5 *", cannotSay},
		{"VRFY postmaster", "250 2.1.5 Postmaster <postmaster@*", "250 2.1.5 *", "250 2.1.5 *", "250 2.1.5 *", cannotSay},
		// VRFY a member's address
		{"VRFY fred@doc.example", "250 2.1.5 Fred Foo <fred@doc.example>", elsewhere, "250 2.1.5 Fred Foo <fred@doc.example>", elsewhere, cannotSay},
		{"VRFY hid@h.example", elsewhere, elsewhere, "250 2.1.5 <hid@h.example>", elsewhere, cannotSay},
		{"VRFY jérôme@d.example", needsUTF8, elsewhere, needsUTF8, elsewhere, cannotSay},
		// an address of another domain that is nobody's here
		{"EXPN who@else.example", elsewhere, elsewhere, elsewhere, elsewhere, cannotSay},
		{"VRFY who@else.example", elsewhere, elsewhere, elsewhere, elsewhere, cannotSay},
	} {
		trusted.want(tt.ask, tt.trusted)
		member.want(tt.ask, tt.member)
		owner.want(tt.ask, tt.owner)
		other.want(tt.ask, tt.other)
		stranger.want(tt.ask, tt.stranger)
	}
	plain := h.talk(near(), "HELO me.example")
	plain.want("EXPN dev@lists.example", "250-<bob@b.example> / 250-Fred Foo <fred@doc.example> / 250 <local@lists.example>")
	plain.want("EXPN none@lists.example", "550 That list has no members")
	plain.want("VRFY dev", "250 Developers <dev@lists.example>")
}
