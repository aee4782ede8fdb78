// Package command reads the mail that people send to a list's -request address, what stands behind a
// plus in the other addresses that do something, and people's answers to questions of ours. It is pure: the
// subject and the text in, the commands out, one a line, in order, with the options that people know from here
// and from other list managers brought into the form of settings. What a command does is not known here. Where a
// signature begins, it goes by RFC 3676 (§4.3).
package command
