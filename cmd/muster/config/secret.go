package config

import (
	"net/url"
	"regexp"
)

const hidden = "xxxxx" // as url.URL.Redacted writes it

var (
	dsnPassword = regexp.MustCompile(`(?i)(\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)`)
	urlUserinfo = regexp.MustCompile(`^([a-z+]+://[^:/@]*):.*@`)
)

// hidePassword takes the passwords out of a URL, or out of a "key=value" connection string. What
// cannot be read as a URL may still hold one, so that it is cut by its shape.
func hidePassword(value string) string {
	u, err := url.Parse(value)
	if err != nil {
		value = urlUserinfo.ReplaceAllString(value, "${1}:"+hidden+"@")
		return dsnPassword.ReplaceAllString(value, "${1}"+hidden)
	}
	if u.Scheme == "http" || u.Scheme == "https" { // where a name alone, or what is asked, may be the secret
		if u.User != nil {
			u.User = url.UserPassword(hidden, hidden)
		}
		if u.RawQuery != "" {
			u.RawQuery = hidden
		}
		return u.String()
	}
	if _, set := u.User.Password(); set {
		u.User = url.UserPassword(u.User.Username(), hidden)
		value = u.String()
	}
	return hideQuery(dsnPassword.ReplaceAllString(value, "${1}"+hidden))
}

// hideAll is for what is secret as a whole.
func hideAll(string) string { return hidden }

var queryPassword = regexp.MustCompile(`([?&](?:ssl)?password=)[^&]*`)

// hideQuery hides libpq's other way to write it: postgres:///db?password=…
func hideQuery(value string) string {
	return queryPassword.ReplaceAllString(value, "${1}"+hidden)
}
