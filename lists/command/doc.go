// Package command reads the mail that people send to a list's -request address. It is pure: the
// subject and the text in, the commands out, one a line, in order. What a command does is not known
// here.
package command
