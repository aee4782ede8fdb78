package mailauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// keys is a DNS of keys.
type keys map[string]string

func (k keys) TXT(_ context.Context, name string) ([]string, error) {
	if text, ok := k[name]; ok {
		return []string{text}, nil
	}
	return nil, nil
}

func (k keys) MX(context.Context, string) ([]string, error) { return nil, nil }

func (k keys) Addrs(context.Context, string) ([]netip.Addr, error) { return nil, nil }

func (k keys) Names(context.Context, netip.Addr) ([]string, error) { return nil, nil }

// TestVerifyMessage holds what verifies the signatures of ARC against DKIM-Signature fields that others
// made, of either algorithm and form.
func TestVerifyMessage(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..", "shared", "corpus", "mime")
	rsa, err := os.ReadFile(filepath.Join(root, "dkimpy-keys", "test.txt"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no corpora here")
	}
	exim, err := os.ReadFile(filepath.Join(root, "dkimpy-keys", "eximtest.dns"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Checker{DNS: keys{
		"test._domainkey.football.example.com":     strings.TrimSpace(string(rsa)),
		"brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		"sed._domainkey.test.ex":                   strings.TrimSpace(string(exim)),
	}}
	for name, want := range map[string]int{
		"dkimpy-rfc6376.signed.rsa.eml": 1, "mimekit-dkim_rfc8463-example.eml": 2, "dkimpy-ed25519test2.eml": 1, "rspamd-ed25519-broken.eml": 0,
	} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		end := bytes.Index(text, []byte("\r\n\r\n")) + 4
		good := 0
		for f := range fields(text[:end]) {
			if f.name != "dkim-signature" {
				continue
			}
			s, ok := readSigned(f)
			if !ok {
				t.Errorf("%s: %q", name, f.value)
				continue
			}
			err := c.verifyMessage(t.Context(), s, text[:end], bytes.NewReader(text[end:]))
			if err == nil {
				good++
			}
			t.Logf("%s: %v", name, err)
			if err := c.verifyMessage(t.Context(), s, text[:end], strings.NewReader("Bye.\r\n")); err == nil {
				t.Errorf("%s: another body is good as well", name)
			}
		}
		if good != want {
			t.Errorf("%s: %d signatures are good, want %d", name, good, want)
		}
	}
}

// TestHashBody: the simple and the relaxed form, whatever pieces the body comes in (RFC 6376 §3.4.5).
func TestHashBody(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]string{
		"":                          {"\r\n", ""},
		"\r\n\r\n":                  {"\r\n", ""},
		"a":                         {"a\r\n", "a\r\n"},
		" C \r\nD \t E\r\n\r\n\r\n": {" C \r\nD \t E\r\n", " C\r\nD E\r\n"},
		"a\r\n\r\nb\r\n":            {"a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
	} {
		for i, relaxed := range []bool{false, true} {
			sum := sha256.Sum256([]byte(want[i]))
			whole, err := hashBody(strings.NewReader(body), relaxed)
			if err != nil || !bytes.Equal(whole, sum[:]) {
				t.Errorf("%q, relaxed %v: %v", body, relaxed, err)
			}
			if pieces, err := hashBody(iotest.OneByteReader(strings.NewReader(body)), relaxed); err != nil || !bytes.Equal(pieces, sum[:]) {
				t.Errorf("%q in pieces, relaxed %v: %v", body, relaxed, err)
			}
		}
	}
}
