// Package lists is the domain: domains, lists, members, roles, persons, posts and what becomes of
// them, and the services that change them, each change in one transaction. SQL stands in
// store_*.go, one file an aggregate.
//
// Nothing here speaks SMTP or HTTP: a service answers with a value or an *Error whose Kind the
// edges (lists/inbound, admin, cmd) turn into a reply, a page or an exit status. Mail that the
// lists want sent leaves as a Notice row with typed parameters; fanout renders and sends it.
package lists
