// Package admin is the site: public pages where people find lists, join and leave, and the pages
// on which owners run theirs. It is made by the server and works without JavaScript.
//
// A page is one file with its form, its GET and its POST. What may be done, and by whom, is
// decided in package lists; each route names in routes.go the right it asks for besides, so that a
// page whose service forgot to ask still shows nothing. A GET changes nothing. A POST goes through
// one helper that bounds its body and its time and refuses what another site sent.
//
// It follows
//
//   - RFC 8058, one-click unsubscribe
//   - RFC 6265, cookies: the __Host- prefix where the site has https
//   - RFC 9110, the meaning of methods and status codes
package admin
