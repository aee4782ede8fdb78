package admin

import "testing"

// Routes are every route of a site with whether anybody may see it.
func (s *Site) Routes() []Route {
	var all []Route
	for _, r := range s.routed {
		all = append(all, Route{Method: r.method, Path: r.path, Open: r.need == anyone, SignedIn: r.need == signedIn})
	}
	return all
}

// Route is a route as a test sees it.
type Route struct {
	Method, Path   string
	Open, SignedIn bool
}

func TestOwnPath(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/manage":                  "/manage",
		"/manage?a=b&c=%2F":        "/manage?a=b&c=%2F",
		"":                         "",
		"//evil.example":           "",
		"/\\evil.example":          "",
		"/\t/evil.example":         "",
		"https://evil.example/":    "",
		"javascript:alert(1)":      "",
		"evil.example":             "",
		"/a\r\nSet-Cookie: b=c":    "",
		"\\\\evil.example":         "",
		"http:///evil.example":     "",
		"/%zz":                     "",
		"//user@evil.example/path": "",
	} {
		if got := ownPath(next); got != want {
			t.Errorf("ownPath(%q) = %q, want %q", next, got, want)
		}
	}
}
