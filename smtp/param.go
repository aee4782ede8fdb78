package smtp

import (
	"errors"
	"fmt"
	"strings"
)

// ErrParam means that the parameters of a command are not as RFC 5321 §4.1.2 writes them.
var ErrParam = errors.New("malformed parameter")

// Param is one ESMTP parameter, "KEY" or "KEY=value".
type Param struct {
	Key   string // upper case
	Value string
}

// ParseParams reads the parameters after a path: each with a space before it, no key twice.
func ParseParams(s string) ([]Param, error) {
	var params []Param
	for field := range strings.SplitSeq(s, " ") {
		if field == "" { // more than one space: people type these
			continue
		}
		key, value, hasValue := strings.Cut(field, "=")
		if !isKeyword(key) || hasValue && !isParamValue(value) {
			return nil, fmt.Errorf("%q: %w", field, ErrParam)
		}
		p := Param{Key: strings.ToUpper(key), Value: value}
		for _, earlier := range params {
			if earlier.Key == p.Key {
				return nil, fmt.Errorf("%s twice: %w", p.Key, ErrParam)
			}
		}
		params = append(params, p)
	}
	return params, nil
}

// isKeyword says whether s is an esmtp-keyword.
func isKeyword(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

// isParamValue says whether s is an esmtp-value, in which RFC 6531 §3.3 allows UTF-8 besides.
func isParamValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == '=' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// DecodeXtext reads the xtext of RFC 3461 §4, in which "+HH" is an octet.
func DecodeXtext(s string) (string, error) {
	if !strings.Contains(s, "+") && isXchars(s) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", fmt.Errorf("%q: %w", s, ErrParam)
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", fmt.Errorf("%q: %w", s, ErrParam)
			}
			b.WriteByte(byte(hi<<4 | lo))
			i += 2
			continue
		}
		if !isXchar(c) {
			return "", fmt.Errorf("%q: %w", s, ErrParam)
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// EncodeXtext writes s as xtext.
func EncodeXtext(s string) string {
	if isXchars(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if isXchar(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "+%02X", s[i])
		}
	}
	return b.String()
}

func isXchars(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isXchar(s[i]) {
			return false
		}
	}
	return true
}

func isXchar(c byte) bool { return c > ' ' && c < 0x7f && c != '+' && c != '=' }

// unhex reads a hexadecimal digit, of which RFC 3461 knows only the upper-case ones; -1 for
// anything else.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
