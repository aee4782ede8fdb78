package lists

import (
	"slices"

	"muster/smtp"
)

// Actor is who asks. Every service that depends on a right takes one, and the services decide:
// a page that forgets to ask cannot show what it should not.
type Actor struct {
	// Person is 0 for somebody who did not sign in.
	Person int64
	// Keys are the verified addresses of the person, as keys.
	Keys []string
	// Admin may do everything everywhere.
	Admin bool
	// Name goes into the audit trail: an address, "cli", "mail".
	Name string
	// Client is the network address a request came from, for limits and consent.
	Client string

	knows int64 // a list that they may know of, whatever it is to others
}

// CLI is the actor behind the command line: whoever can read the database's password may do all.
func CLI() Actor { return Actor{Admin: true, Name: "cli"} }

// mailTo is whoever wrote to an address of a list: they know of it, as the server has shown at RCPT
// that there is one, and have proved nothing.
func mailTo(listID int64) Actor { return Actor{Name: ConsentMail, knows: listID} }

// mailActor is whoever wrote to a list from an address that is proved to be theirs, by their domain or by
// their answer to a question.
func mailActor(l List, a smtp.Address) Actor {
	return Actor{Name: a.String(), Keys: []string{a.Key()}, knows: l.ID}
}

// Anonymous is a visitor of the site who has not signed in.
func Anonymous(client string) Actor { return Actor{Name: client, Client: client} }

// Has says whether key is one of the actor's verified addresses.
func (a Actor) Has(key string) bool { return slices.Contains(a.Keys, key) }

// from is where a consent given by the actor came from.
func (a Actor) from() string {
	if a.Client != "" {
		return a.Client
	}
	return a.Name
}
