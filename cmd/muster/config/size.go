package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of octets, written with KiB, MiB or GiB where that is shorter.
type Size int64

// UnmarshalText reads 998, 256KiB or 25 MiB.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimSpace(string(text))
	shift := 0
	for unit, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if n, ok := strings.CutSuffix(number, unit); ok {
			number, shift = strings.TrimSpace(n), bits
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > (1<<62)>>shift {
		return fmt.Errorf("%q is not a size such as 998, 256KiB or 25MiB", text)
	}
	*s = Size(n << shift)
	return nil
}
