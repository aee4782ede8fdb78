// Package command reads the mail that people send to a list's -request address, and their answers to
// questions of ours. It is pure: the subject and the text in, the commands out, one a line, in order. What a
// command does is not known here. Where a signature begins, it goes by RFC 3676 (§4.3).
package command
