package lists

import (
	"strings"
	"time"
)

// daysApart stands between the first and the last day of a vacation.
const daysApart = ".."

// parseVacation reads a vacation as its first and last day: both nil for "", which is none.
func parseVacation(value string) (from, until *time.Time, err error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil, nil, nil
	}
	first, last, _ := strings.Cut(value, daysApart)
	f, wrongFirst := time.Parse(time.DateOnly, strings.TrimSpace(first))
	u, wrongLast := time.Parse(time.DateOnly, strings.TrimSpace(last))
	if wrongFirst != nil || wrongLast != nil || u.Before(f) {
		e := Errorf(Invalid, "setting.vacation", "vacation cannot be %q: it is a first and a last day, such as 2027-07-01..2027-07-21, or empty for none", clip(value))
		e.Field = "vacation"
		return nil, nil, e
	}
	return &f, &u, nil
}

func formatVacation(from, until *time.Time) string {
	if from == nil || until == nil {
		return ""
	}
	return from.Format(time.DateOnly) + daysApart + until.Format(time.DateOnly)
}
