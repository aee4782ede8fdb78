package systemtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// postfix is a Postfix of the test's own: its configuration, queue and log in a directory of the
// test, its smtpd on loopback. The machine's own Postfix, if it has one, is not touched.
type postfix struct {
	t    testing.TB
	dir  string
	smtp string
}

const postfixServices = `
postlog   unix-dgram n - n - 1 postlogd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
lmtp      unix - - n - - lmtp
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
`

// startPostfix runs a Postfix with the given parameters of main.cf beside the ones it always needs.
func startPostfix(t testing.TB, parameters ...string) *postfix {
	t.Helper()
	command := findPostfix(t)
	// Not t.TempDir: the daemons run as other users and must be able to enter it.
	dir, err := os.MkdirTemp("", "muster-postfix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &postfix{t: t, dir: dir, smtp: freeAddr(t)}
	p.configure(parameters)
	p.do(command, "start")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("postfix said:\n%s", lastLines(string(log), 40))
		}
		p.do(command, "stop")
	})
	p.wait()
	return p
}

func findPostfix(t testing.TB) string {
	t.Helper()
	command, err := exec.LookPath("postfix")
	if err != nil {
		command = "/usr/sbin/postfix"
		_, err = os.Stat(command)
	}
	_, users := user.Lookup("postfix")
	if os.Getuid() != 0 || err != nil || users != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs root (is %d) and Debian's postfix: %v, %v", os.Getuid(), err, users)
		}
		t.Skipf("needs root (is %d) and Debian's postfix: %v, %v", os.Getuid(), err, users)
	}
	return command
}

func (p *postfix) configure(parameters []string) {
	p.t.Helper()
	data := filepath.Join(p.dir, "data")
	owner, err := user.Lookup("postfix")
	if err != nil {
		p.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	main := append([]string{
		"compatibility_level = 3.6",
		"queue_directory = " + filepath.Join(p.dir, "queue"),
		"data_directory = " + data,
		"maillog_file = " + filepath.Join(p.dir, "log"),
		"maillog_file_prefixes = " + p.dir,
		"daemon_directory = /usr/lib/postfix/sbin",
		"command_directory = /usr/sbin",
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"mynetworks = 127.0.0.0/8",
		"mydestination =",
		"alias_maps =",
		"alias_database =",
		"biff = no",
		"disable_dns_lookups = yes",
		"smtp_tls_security_level = may",
	}, parameters...)
	services := p.smtp + " inet n - n - - smtpd\n" + postfixServices
	for _, step := range []error{
		os.Chmod(p.dir, 0o755),
		os.Mkdir(filepath.Join(p.dir, "queue"), 0o755),
		os.Mkdir(data, 0o700),
		os.Chown(data, uid, gid),
		os.WriteFile(filepath.Join(p.dir, "main.cf"), []byte(strings.Join(main, "\n")+"\n"), 0o644),
		os.WriteFile(filepath.Join(p.dir, "master.cf"), []byte(services), 0o644),
	} {
		if step != nil {
			p.t.Fatal(step)
		}
	}
}

func (p *postfix) do(command, action string) {
	p.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(command, "-c", p.dir, action)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		p.t.Errorf("postfix %s: %v\n%s%s", action, err, &out, log)
	}
}

func (p *postfix) wait() {
	p.t.Helper()
	for range 500 {
		if c, err := dialErr(p.smtp); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatal("postfix does not answer")
}

// TestPostfix sends posts from a Postfix by LMTP through Muster to another Postfix, as a site
// would that keeps its mail server in front.
func TestPostfix(t *testing.T) {
	sink := newSink(t)
	back := startPostfix(t, "myhostname = back.example", "relayhost = ["+host(sink.addr)+"]:"+port(sink.addr))
	s := newSite(t, back.smtp)
	n := s.start(t.TempDir())
	s.run("", "list", "create", "dev@lists.example", "--owner", "ann@a.example")
	s.run("", "list", "set", "dev@lists.example", "post_policy=anyone")
	members := s.addMembers("dev@lists.example", 20)
	front := startPostfix(t, "myhostname = front.example", "virtual_mailbox_domains = lists.example",
		fmt.Sprintf("virtual_transport = lmtp:inet:[%s]:%s", host(n.lmtp), port(n.lmtp)))

	messages := corpus(t, 10)
	c := dial(t, front.smtp, "EHLO client.example")
	for i, m := range messages {
		reply, err := c.post(author(m), "dev@lists.example", tagged(m, i))
		if err != nil || !strings.HasPrefix(reply, "250") {
			t.Fatalf("message %d: Postfix says %q, %v", i, reply, err)
		}
	}
	sink.wait(t, len(messages)*len(members))
	for i, m := range messages {
		for _, member := range members {
			copies := sink.copies(i, member)
			if len(copies) != 1 {
				t.Fatalf("message %d for %s: %d copies", i, member, len(copies))
			}
			if !bytes.Equal(body(copies[0]), body(m)) {
				t.Errorf("message %d for %s: the body is not the one sent", i, member)
			}
		}
	}
}
