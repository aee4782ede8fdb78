package systemtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPostfixReports has a Postfix report on tracked copies that it passes on to a server which does not
// offer reports: "relayed".
func TestPostfixReports(t *testing.T) {
	sink := newSink(t)
	door := freeAddr(t)
	back := startPostfix(t, "myhostname = back.example", "relayhost = ["+host(sink.addr)+"]:"+port(sink.addr),
		fmt.Sprintf("transport_maps = inline:{ {lists.example = smtp:[%s]:%s} }", host(door), port(door)))
	s := newSite(t, back.smtp)
	n := s.start(t.TempDir(), "--smtp-listen", door)
	s.run("", "list", "create", "dev@lists.example", "--owner", "ann@a.example")
	s.run("", "list", "set", "dev@lists.example", "post_policy=anyone", "tracking=dsn", "verp=false")
	members := s.addMembers("dev@lists.example", 5)
	c := dial(t, n.lmtp, "LHLO client.example")
	if reply, err := c.post("zoe@z.example", "dev@lists.example", tagged([]byte("From: zoe@z.example\r\nSubject: Hello\r\n\r\nAll of you.\r\n"), 0)); err != nil || !strings.HasPrefix(reply, "250") {
		t.Fatalf("%q, %v", reply, err)
	}
	sink.wait(t, len(members))
	var post struct{ ID string }
	if err := json.Unmarshal([]byte(s.run("", "post", "ls", "dev@lists.example", "--json")), &post); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`"reports":[{"report":"relayed","copies":%d}]`, len(members))
	shown := ""
	for deadline := time.Now().Add(time.Minute); !strings.Contains(shown, want); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s in %s", want, shown)
		}
		shown = s.run("", "post", "show", post.ID, "--json")
	}
	if trace := s.run("", "post", "trace", post.ID, "--member", members[0]); !strings.Contains(trace, "back.example") || !strings.Contains(trace, "reported: relayed 2.0.0") {
		t.Errorf("trace:\n%s", trace)
	}
	if !strings.Contains(shown, `"bounced":0`) {
		t.Errorf("a report is a bounce: %s", shown)
	}
}
