// Package lists is the domain: domains, lists, members, roles, persons, posts and what becomes of
// them, and the services that change them, each change in one transaction. SQL stands in
// store_*.go, one file an aggregate.
//
// Nothing here speaks SMTP or HTTP: a service answers with a value or an *Error whose Kind the
// edges (lists/inbound, admin, cmd) turn into a reply, a page or an exit status. Mail that the
// lists want sent leaves as a Notice row with typed parameters; fanout renders and sends it.
//
// It follows
//
//   - RFC 5321 for the sizes of addresses and for what aliases and lists are (§3.9)
//   - RFC 3463, enhanced status codes, and RFC 6531, SMTPUTF8, for the reasons of a refusal
//   - RFC 2142, names that every domain has: postmaster, abuse; RFC 5233, what follows a plus
//   - RFC 2919 (List-Id), RFC 8058 (one-click unsubscription)
//   - RFC 6376, keys of DKIM and their records
//   - RFC 3834, what is not answered
//   - RFC 4954, who AUTH is for; RFC 8601, what is said of who vouches for a message
//   - RFC 4180, CSV; RFC 5646, tags of languages; RFC 9562, ids that tell when they were made
package lists
