// Package templates is what people read: the pages of the site (web), the mails (mail, a directory
// a language), the sentences of both (locales, one catalogue a language) and the few files a
// browser fetches (static). Everything is embedded, and parsed once; what is shown comes in as
// data, so nothing here asks anybody for anything.
//
// It follows RFC 5322, Internet Message Format, in the length of a mail's lines, and RFC 3676 in the
// line before a signature.
package templates

import "embed"

//go:embed locales all:web mail static
var files embed.FS
