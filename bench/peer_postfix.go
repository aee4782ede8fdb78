package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// postfix is a Postfix of the run's own, with its configuration, queue and log in a directory below
// work.
type postfix struct {
	program string
	dir     string
	addr    string
}

// postfixServices is what its master.cf has beside the smtpd.
const postfixServices = `
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
local     unix - n n - - local
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
`

// startPostfix configures and starts a Postfix with these parameters beside the usual ones.
func startPostfix(ctx context.Context, dir string, parameters ...string) (*postfix, error) {
	program, err := find("postfix")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &postfix{program: program, dir: dir, addr: addr}
	if err := p.configure(parameters); err != nil {
		return nil, err
	}
	if err := p.do(ctx, "start"); err != nil {
		return nil, err
	}
	for range 200 {
		if err = postTo(ctx, p.addr, "EHLO", "nobody@lists.example"); err == nil {
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("postfix does not answer: %w", err)
}

func (p *postfix) configure(parameters []string) error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	queue, data := filepath.Join(p.dir, "queue"), filepath.Join(p.dir, "data")
	parameters = append([]string{
		"compatibility_level = 3.6",
		"queue_directory = " + queue,
		"data_directory = " + data,
		"maillog_file = " + filepath.Join(p.dir, "log"),
		"maillog_file_prefixes = " + p.dir,
		"daemon_directory = /usr/lib/postfix/sbin",
		"command_directory = /usr/sbin",
		"myhostname = peer.example",
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"mynetworks = 127.0.0.0/8",
		"smtpd_relay_restrictions = permit_mynetworks,reject",
		"mydestination = lists.example",
		"alias_database =",
		"biff = no",
		"disable_dns_lookups = yes",
	}, parameters...)
	return errors.Join(
		os.MkdirAll(queue, 0o755),
		os.Mkdir(data, 0o700),
		os.Chown(data, uid, gid),
		os.WriteFile(filepath.Join(p.dir, "main.cf"), []byte(strings.Join(parameters, "\n")+"\n"), 0o644),
		os.WriteFile(filepath.Join(p.dir, "master.cf"), []byte(p.addr+" inet n - n - - smtpd\n"+postfixServices), 0o644),
	)
}

func (p *postfix) do(ctx context.Context, action string) error {
	out, err := exec.CommandContext(ctx, p.program, "-c", p.dir, action).CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		return fmt.Errorf("postfix %s: %w: %s%s", action, err, out, log)
	}
	return nil
}

func (p *postfix) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = p.do(ctx, "stop")
}

// againstPostfix has Postfix expand an alias of an included file: fifty recipients a transaction,
// its default, to a hundred mail servers at once, which is where it is quickest; and one each.
func (b *bench) againstPostfix(ctx context.Context, far *counter) ([]row, error) {
	var rows []row
	for _, p := range []struct {
		peer
		recipients string
	}{
		{peer{name: "Postfix's :include: alias, 50 a transaction", list: "bench1", aim: aimPostfixBatches, n: b.members}, "50"},
		{peer{name: "Postfix's :include: alias, 1 a transaction", list: "bench2", aim: aimPostfixSingles, n: min(b.members, postfixSingles)}, "1"},
	} {
		r, err := b.againstAlias(ctx, far, p.peer, p.recipients)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// queueing has Postfix take the messages of the accepted posts, from as many clients, and keep them in
// its queue: on hold, so that it does nothing else with them, as Muster does not in the role smtp.
func (b *bench) queueing(ctx context.Context) ([]row, error) {
	if err := b.serveAccepting(ctx); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.work, "postfix-queue")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	pf, err := startPostfix(ctx, dir, "alias_maps =", "local_recipient_maps =",
		"smtpd_recipient_restrictions = check_recipient_access static:HOLD,permit_mynetworks,reject")
	if err != nil {
		return nil, err
	}
	defer pf.stop()
	body := bodyText()
	each := min(b.posts, postfixQueued) / connections
	rate, err := b.compare(ctx, comparison{
		name: fmt.Sprintf("accepted posts with %d clients against Postfix queueing %d of the same, posts/s", connections, each*connections),
		aim:  aimPostfixQueued,
		ours: func(ctx context.Context) (float64, error) { return b.accept(ctx, body) },
		theirs: func(ctx context.Context) (float64, error) {
			took, err := postAll(ctx, pf.addr, each, body)
			return float64(each*connections) / took.Seconds(), err
		},
	})
	return []row{rate}, err
}

func (b *bench) againstAlias(ctx context.Context, far *counter, p peer, recipients string) (row, error) {
	dir := filepath.Join(b.work, "postfix-"+recipients)
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return row{}, err
	}
	if err := writeAddresses(filepath.Join(dir, "members"), p.n); err != nil {
		return row{}, err
	}
	var routes strings.Builder
	for n := range farDomains {
		fmt.Fprintf(&routes, "d%02d.example smtp:[127.0.1.%d]:%s\n", n, n+1, far.port())
	}
	aliases := fmt.Sprintf("list :include:%s\nowner-list nobody\nnobody /dev/null\n", filepath.Join(dir, "members"))
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "aliases"), []byte(aliases), 0o644),
		os.WriteFile(filepath.Join(dir, "transport"), []byte(routes.String()), 0o644),
	); err != nil {
		return row{}, err
	}
	pf, err := startPostfix(ctx, dir, "alias_maps = texthash:"+filepath.Join(dir, "aliases"),
		"transport_maps = texthash:"+filepath.Join(dir, "transport"), "default_destination_recipient_limit = "+recipients)
	if err != nil {
		return row{}, err
	}
	defer pf.stop()
	p.post = func(ctx context.Context) error { return postTo(ctx, pf.addr, "EHLO", "list@lists.example") }
	return b.against(ctx, far, p)
}
