package config_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"muster/cmd/muster/config"
)

// load reads a file with text, the environment and a command line.
func load(t *testing.T, text string, environ []string, args ...string) (*config.Config, error) {
	t.Helper()
	from := config.Sources{NoFile: true, Environ: environ, Flags: pflag.NewFlagSet("muster", pflag.ContinueOnError)}
	if text != "" {
		from.File = filepath.Join(t.TempDir(), "muster.toml")
		if err := os.WriteFile(from.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config.AddFlags(from.Flags, config.Everywhere)
	config.AddFlags(from.Flags, config.Serving)
	if err := from.Flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return config.Load(from)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := load(t, "", []string{"HOME=/home/ann"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Limits{
		Sessions: 1000, SessionsPerClient: 50, CommandLine: 2048, AuthLine: 12288, Errors: 20, IdleCommands: 100,
		Questions: 60, UnknownRecipients: 100, AuthErrors: 10, Recipients: 1000, Message: 25 << 20, Header: 256 << 10,
		HeaderFields: 1000, Hops: 100, TextLine: 998, Memory: 256 << 10, CommandTimeout: 5 * time.Minute,
		BusyTimeout: 10 * time.Second, DataPause: 3 * time.Minute, DataRate: 500, DataTimeout: time.Hour,
	}
	if diff := cmp.Diff(want, c.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if c.AuthservID != c.Hostname || c.TrustedAuthservID != "" {
		t.Errorf("%q says who vouches for mail, and %q is believed", c.AuthservID, c.TrustedAuthservID)
	}
	if c.BaseURL != "http://127.0.0.1:8080" || c.Hostname == "" || c.Connections != 20 || !c.Has(config.RoleClock) {
		t.Errorf("defaults: %+v", c)
	}
}

func TestLaterLayersWin(t *testing.T) {
	t.Parallel()
	const file = `
hostname = "file.example"
base_url = "https://file.example/"
relay = "smtp://127.0.0.1"
trusted_network = ["192.0.2.0/24"]
[limits]
sessions = 5
message = "1MiB"
`
	environ := []string{"MUSTER_BASE_URL=https://env.example", "MUSTER_RELAY=smtp://env.example", "MUSTER_LIMITS_SESSIONS=6"}
	c, err := load(t, file, environ, "--relay", "smtps://flag.example:465", "--trusted-network", "10.0.0.0/8", "--trusted-network", "::1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ key, got, want string }{
		{"hostname", c.Hostname, "file.example"},
		{"base_url", c.BaseURL, "https://env.example"},
		{"relay", c.Relay[0].URL, "smtps://flag.example:465"},
		{"trusted_network", strings.Join(c.TrustedNetwork, " "), "10.0.0.0/8 ::1"},
		{"limits.message", c.Limits.Message.String(), "1MiB"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %q, want %q", tt.key, tt.got, tt.want)
		}
	}
	if c.Limits.Sessions != 6 || c.Limits.Recipients != 1000 {
		t.Errorf("limits = %+v", c.Limits)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file string
		environ    []string
		args       []string
		want       []string
	}{
		{"unknown key", "# mine\nhostnme = \"a\"\n", nil, nil, []string{"muster.toml:2", `"hostnme"`, `did you mean "hostname"?`}},
		{"hyphen", "\ndata-dir = \"/x\"\n", nil, nil, []string{"muster.toml:2", `did you mean "data_dir"?`}},
		{"unknown limit", "[limits] # all\nsesions = 1\n", nil, nil, []string{"muster.toml:2", `did you mean "limits.sessions"?`}},
		{"unknown table", "[xyzzy]\nplugh = 1\n", nil, nil, []string{"muster.toml:2", "no setting", "docs/settings.md"}},
		{"not TOML", "hostname = \"a\"\nrelay = = 1\n", nil, nil, []string{"muster.toml:2"}},
		{"not a text", "hostname = 7\n", nil, nil, []string{"muster.toml:1", "hostname", "quotation marks"}},
		{"not a number", "[limits]\nerrors = \"many\"\n", nil, nil, []string{"muster.toml:2", "limits.errors", "whole number"}},
		{"zero", "[limits]\nerrors = 0\n", nil, nil, []string{"limits.errors", "whole number from 1 up"}},
		{"not a size", "[limits]\nheader = \"big\"\n", nil, nil, []string{"limits.header", "256KiB"}},
		{"list of numbers", "roles = [1]\n", nil, nil, []string{"roles", "quotation marks"}},
		{"unknown variable", "", []string{"MUSTER_HOST_NAME=x"}, nil, []string{"environment", "MUSTER_HOSTNAME"}},
		{"bad variable", "", []string{"MUSTER_SHUTDOWN_TIMEOUT=soon"}, nil, []string{"MUSTER_SHUTDOWN_TIMEOUT", "duration"}},
		{"no duration at all", "", []string{"MUSTER_SHUTDOWN_TIMEOUT=0"}, nil, []string{"MUSTER_SHUTDOWN_TIMEOUT", "duration"}},
		{"bad role", "", nil, []string{"--roles", "smtp,fan"}, []string{"--roles", `"fan"`, "fanout"}},
		{"no role", "", nil, []string{"--roles", ""}, []string{"--roles", "smtp, fanout, clock, admin"}},
		{"hostname of two words", "", nil, []string{"--hostname", "a b"}, []string{"--hostname", `"a b" is not a domain name`}},
		{"hostname that is an address", "hostname = \"[192.0.2.1]\"\n", nil, nil, []string{"muster.toml:1", "is not a domain name"}},
		{"hostname not ASCII", "", nil, []string{"--hostname", "bücher.example"}, []string{"--hostname", "xn--bcher-kva.example"}},
		{"authserv id of two words", "", nil, []string{"--authserv-id", "a b"}, []string{"--authserv-id", `"a b" is not a domain name`}},
		{"trusted authserv id with its results", "trusted_authserv_id = \"mx.example; spf=pass\"\n", nil, nil, []string{"muster.toml:1", "Authentication-Results"}},
		{"bad network", "", nil, []string{"--trusted-network", "10.0.0.0/99"}, []string{"--trusted-network", "10.0.0.0/99"}},
		{"none and more", "", nil, []string{"--trusted-network", "none,10.0.0.0/8"}, []string{"--trusted-network", `"none" alone`}},
		{"bad listen", "", nil, []string{"--smtp-listen", "2525"}, []string{"--smtp-listen", "host:port"}},
		{"bad relay", "", nil, []string{"--relay", "smtp:u:geheim@x"}, []string{"--relay", "smtp://"}},
		{"password over HTTP in clear", "", nil, []string{"--relay", "http://u:geheim@x"}, []string{"--relay", "https://", "xxxxx:xxxxx@x"}},
		{"secret in a query", "", nil, []string{"--relay", "https://x/?key=geheim"}, []string{"--relay", "https://x/?xxxxx"}},
		{"token for SMTP", "[[relay]]\nurl = \"smtp://a\"\ntoken = \"geheim\"\n", nil, nil, []string{"muster.toml:1", "token", "http"}},
		{"token in clear", "[[relay]]\nurl = \"http://a\"\ntoken = \"geheim\"\n", nil, nil, []string{"muster.toml:1", "token", "https://"}},
		{"bad relay in a table", "\n[[relay]]\nurl = \"smtp://a\"\n[[relay]]\nurl = \"gopher://x\"\n", nil, nil, []string{"muster.toml:2", "relay", "smtp://"}},
		{"LMTP where SMTP is spoken", "", nil, []string{"--relay", "lmtp://x:25"}, []string{"--relay", "port 25"}},
		{"a socket that is none", "", nil, []string{"--relay", "lmtp+unix:var/run/lmtp"}, []string{"--relay", "lmtp+unix:/path"}},
		{"a relay without a URL", "[[relay]]\nweight = 2\n", nil, nil, []string{"muster.toml:1", "relay", "smtp://"}},
		{"weight of nothing", "[[relay]]\nurl = \"smtp://a\"\nweight = 0\n", nil, nil, []string{"muster.toml:1", "table 1", "weight", "whole number from 1 up"}},
		{"unknown column", "[[relay]]\nurll = \"smtp://a\"\n", nil, nil, []string{"muster.toml:1", "[[relay]]", `did you mean "url"?`}},
		{"bad pattern", "[[relay]]\nurl = \"smtp://a\"\nfor_list_domain = \"*a\"\n", nil, nil, []string{"muster.toml:1", "relay", "*a", "pattern"}},
		{"destination of nothing", "[[destination]]\nrate = \"1/s\"\n", nil, nil, []string{"muster.toml:1", "destination", "table 1", "match"}},
		{"bad rate", "[[destination]]\nmatch = \"*\"\nrate = \"1/w\"\n", nil, nil, []string{"muster.toml:1", "destination", "1/w", "/m"}},
		{"destination in the environment", "", []string{"MUSTER_DESTINATION=x"}, nil, []string{"MUSTER_DESTINATION", "[[destination]]"}},
		{"bad encryption", "tls_out = \"always\"\n", nil, nil, []string{"muster.toml:1", "tls_out", "always", "require"}},
		{"bad encryption of a destination", "[[destination]]\nmatch = \"*\"\ntls = \"x\"\n", nil, nil, []string{"muster.toml:1", "destination", "verify"}},
		{"no table", "relay = 7\n", nil, nil, []string{"muster.toml:1", "[[relay]]"}},
		{"bad URL", "", nil, []string{"--base-url", "lists.example"}, []string{"--base-url", "https://lists.example"}},
		{"half a pair", "", nil, []string{"--tls-key", "k.pem"}, []string{"tls_cert and tls_key"}},
		{"no address", "redirect_all_to = \"me\"\n", nil, nil, []string{"muster.toml:1", "redirect_all_to", "test@lists.example"}},
		{"address not ASCII", "", []string{"MUSTER_REDIRECT_ALL_TO=mü@a.example"}, nil, []string{"MUSTER_REDIRECT_ALL_TO", "not ASCII"}},
		{"more than all", "", nil, []string{"--max-refused", "101"}, []string{"--max-refused", "more than all"}},
		{"bad level", "log_level = \"loud\"", nil, nil, []string{"muster.toml:1", "debug, info, warn, error"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tt.file, tt.environ, tt.args...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q\nlacks %q", err, want)
				}
			}
		})
	}
}

func TestRelayTables(t *testing.T) {
	t.Parallel()
	const file = `
[[relay]]
url = "smtp://muster:geheim@a.example"
weight = 3
[[relay]]
url = "smtps://b.example:465"
for_list_domain = ["a.example", "*.a.example"]
for_recipient_domain = "x.example"
[[destination]]
match = ["*.example"]
rate = "100/m"
recipients = 50
`
	c, err := load(t, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Relay{
		{URL: "smtp://muster:geheim@a.example", Weight: 3},
		{URL: "smtps://b.example:465", Weight: 1, ForListDomain: []string{"a.example", "*.a.example"}, ForRecipientDomain: []string{"x.example"}},
	}
	if diff := cmp.Diff(want, c.Relay); diff != "" {
		t.Errorf("relays (-want +got):\n%s", diff)
	}
	destination := []config.Destination{{Match: []string{"*.example"}, Rate: "100/m", Recipients: 50}}
	if diff := cmp.Diff(destination, c.Destination); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, out.String(), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	if diff := cmp.Diff(destination, again.Destination); diff != "" {
		t.Errorf("printed and read (-want +got):\n%s", diff)
	}
	want[0].URL = "smtp://muster:xxxxx@a.example"
	if diff := cmp.Diff(want, again.Relay); diff != "" {
		t.Errorf("printed and read (-want +got):\n%s", diff)
	}
}

// 0 switches off what can be switched off, in the file as a number too, and is printed as it is read.
func TestOff(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"0", `"0"`, `"0s"`} {
		c, err := load(t, "warn_late = "+value+"\nmax_refused = 0\n", nil)
		if err != nil || c.WarnLate != 0 || c.MaxRefused != 0 {
			t.Fatalf("%s: %v, %v", value, c.WarnLate, err)
		}
		var out bytes.Buffer
		if err := c.Print(&out); err != nil || !strings.Contains(out.String(), `warn_late = "0"`) {
			t.Errorf("%s: %v\n%s", value, err, &out)
		}
	}
	if _, err := load(t, "warn_late = \"-1h\"\n", nil); err == nil {
		t.Error("a time below zero is taken")
	}
}

// A service that Kubernetes knows as "muster" finds its own address in the environment.
func TestServiceVariablesAreNotSettings(t *testing.T) {
	t.Parallel()
	environ := []string{"MUSTER_RELAY=", "MUSTER_CONNECTIONS=", "MUSTER_PORT=tcp://10.0.0.1:25", "MUSTER_PORT_25_TCP=x", "MUSTER_SERVICE_HOST=10.0.0.1", "MUSTER_SERVICE_PORT_SMTP=25"}
	if _, err := load(t, "", environ); err != nil {
		t.Error(err)
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "absent.toml")
	if _, err := config.Load(config.Sources{File: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error = %v, want one that names %s", err, path)
	}
	if _, err := config.Load(config.Sources{Environ: []string{"MUSTER_CONFIG=" + path}}); err == nil {
		t.Error("a file named by MUSTER_CONFIG may be absent")
	}
}

func TestPrintHidesSecretsAndReadsBack(t *testing.T) {
	t.Parallel()
	c, err := load(t, "default_domain = \"a\\\"b\\\\\"\n[[relay]]\nurl = \"smtp://muster:geheim@mx.example:587\"\n"+
		"[[relay]]\nurl = \"https://web.example/in\"\ntoken = \"geheim\"\n[[relay]]\nurl = \"https://geheim@web.example/in\"\n", nil,
		"--database-url", "postgres://u:geheim@db/muster?sslpassword=geheim", "--lmtp-listen", "unix:/run/lmtp")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "geheim") {
		t.Errorf("a secret is printed:\n%s", &out)
	}
	var asJSON bytes.Buffer
	if err := c.PrintJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(asJSON.Bytes()) {
		var got struct {
			Key, Origin string
			Value       any
		}
		if err := json.Unmarshal(line, &got); err != nil || got.Key == "" || got.Origin == "" || got.Value == nil || bytes.Contains(line, []byte("geheim")) {
			t.Errorf("as JSON: %s, %v", line, err)
		}
	}
	again, err := load(t, out.String(), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	c.Relay, c.DatabaseURL = again.Relay, again.DatabaseURL // hidden there
	if diff := cmp.Diff(c, again, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".origin" }, cmp.Ignore()),
		cmp.AllowUnexported(config.Config{})); diff != "" {
		t.Errorf("printed and read (-was +is):\n%s", diff)
	}
	for _, want := range []string{`lmtp_listen = ["unix:/run/lmtp"]`, "# --lmtp-listen", "muster.toml:1", "# default", "[limits]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestHiddenConnectionStrings(t *testing.T) {
	t.Parallel()
	s, _ := config.Lookup("database_url")
	for _, value := range []string{
		"host=/run user=m password=geheim dbname=muster",
		"host=/run password='ge heim' dbname=muster",
		"postgres://u:geheim%zz@h/d",
		"postgres://h/d?password=geheim&x=1",
	} {
		if shown := s.Shown(value); strings.Contains(shown, "heim") || !strings.Contains(shown, "xxxxx") {
			t.Errorf("%s is shown as %s", value, shown)
		}
	}
}

func TestTrusted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		networks, addr string
		want           bool
	}{
		{"", "127.0.0.1", true},
		{"", "::ffff:127.0.0.1", true},
		{"", "::1", true},
		{"", "192.0.2.1", false},
		{"192.0.2.7/24", "192.0.2.1", true},
		{"192.0.2.7/24", "127.0.0.1", false},
		{"none", "127.0.0.1", false},
		{"fe80::/10", "fe80::1%eth0", true},
	} {
		var args []string
		if tt.networks != "" {
			args = []string{"--trusted-network", tt.networks}
		}
		c, err := load(t, "", nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Trusted()(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%s trusts %s: %v", tt.networks, tt.addr, got)
		}
		if got := c.Trusted()(netip.Addr{}); got != (tt.networks != "none") {
			t.Errorf("%s trusts a unix socket: %v", tt.networks, got)
		}
	}
}

func TestSiteURLFollowsTheListener(t *testing.T) {
	t.Parallel()
	got := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}
	for _, tt := range []struct{ listen, base, want string }{
		{"127.0.0.1:0", "", "http://127.0.0.1:4711"},
		{":0", "", "http://lists.example:4711"},
		{"[::]:80", "", "http://lists.example:80"},
		{"[::1]:80", "", "http://[::1]:80"},
		{"unix:/run/site", "", "http://lists.example"},
		{"127.0.0.1:0", "https://lists.example/", "https://lists.example"},
	} {
		args := []string{"--hostname", "lists.example", "--http-listen", tt.listen}
		if tt.base != "" {
			args = append(args, "--base-url", tt.base)
		}
		c, err := load(t, "", nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		c.ListensOn(got)
		if c.BaseURL != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.listen, tt.base, c.BaseURL, tt.want)
		}
	}
}
