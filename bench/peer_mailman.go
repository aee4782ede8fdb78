package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// mailman is a GNU Mailman 3 of the run's own, with SQLite and all that it writes in a directory below
// work.
type mailman struct {
	dir  string
	lmtp string // port
	rest string // port
	smtp string // port of the receiver
	id   uint32
}

// mailmanConfig has Mailman make a message for each member, with an envelope sender of its own,
// and leaves out what no post needs.
const mailmanConfig = `[mailman]
site_owner: owner@lists.example
layout: bench
[paths.bench]
var_dir: {Dir}/var
queue_dir: $var_dir/queue
bin_dir: /usr/lib/mailman3/bin
list_data_dir: $var_dir/lists
log_dir: $var_dir/logs
lock_dir: $var_dir/locks
data_dir: $var_dir/data
cache_dir: $var_dir/cache
etc_dir: {Dir}
ext_dir: $var_dir/ext
messages_dir: $var_dir/messages
archive_dir: $var_dir/archives
template_dir: $var_dir/templates
pid_file: $var_dir/master.pid
lock_file: $lock_dir/master.lck
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:///{Dir}/var/data/mailman.db
[webservice]
port: {REST}
[mta]
incoming: mailman.mta.null.NullMTA
outgoing: mailman.mta.deliver.deliver
smtp_host: 127.0.0.1
smtp_port: {SMTP}
lmtp_host: 127.0.0.1
lmtp_port: {LMTP}
verp_delivery_interval: 1
verp_personalized_deliveries: yes
[archiver.prototype]
enable: no
[archiver.mhonarc]
enable: no
[archiver.mail_archive]
enable: no
[runner.digest]
start: no
`

// openList is run by "mailman shell": it lets anybody post, and keeps nothing.
const openList = `from mailman.interfaces.action import Action
from mailman.interfaces.archiver import ArchivePolicy
def open_list(mlist):
    mlist.default_nonmember_action = Action.accept
    mlist.archive_policy = ArchivePolicy.never
    mlist.digests_enabled = False
    mlist.send_welcome_message = False
    mlist.admin_notify_mchanges = False
    mlist.max_message_size = 0
`

// againstMailman has Mailman make and send a message for each member.
func (b *bench) againstMailman(ctx context.Context, far *counter) ([]row, error) {
	n := min(b.members, mailmanSingles)
	mm, err := b.startMailman(ctx, far, n)
	if err != nil {
		return nil, err
	}
	defer mm.stop()
	r, err := b.against(ctx, far, peer{name: "GNU Mailman 3, 1 a transaction", list: "bench2", aim: aimMailman, n: n,
		post: func(ctx context.Context) error {
			return postTo(ctx, "127.0.0.1:"+mm.lmtp, "LHLO", "list@lists.example")
		}})
	return []row{r}, err
}

func (b *bench) startMailman(ctx context.Context, far *counter, n int) (*mailman, error) {
	owner, err := user.Lookup("list")
	if err != nil {
		return nil, err
	}
	id, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return nil, err
	}
	mm := &mailman{dir: filepath.Join(b.work, "mailman"), smtp: far.port(), id: uint32(id)}
	for _, port := range []*string{&mm.lmtp, &mm.rest} {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, *port, _ = net.SplitHostPort(addr)
	}
	if err := mm.configure(n); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"create", "list@lists.example"},
		{"shell", "-l", "list@lists.example", "-r", "benchlist.open_list"},
		{"addmembers", "-W", filepath.Join(mm.dir, "members"), "list.lists.example"},
		{"start"},
	} {
		if err := mm.run(ctx, args...); err != nil {
			return nil, err
		}
	}
	return mm, mm.await(ctx)
}

func (m *mailman) configure(n int) error {
	if err := os.RemoveAll(m.dir); err != nil {
		return err
	}
	if err := writeAddresses(filepath.Join(m.dir, "members"), n); err != nil {
		return err
	}
	config := strings.NewReplacer("{Dir}", m.dir, "{LMTP}", m.lmtp, "{REST}", m.rest, "{SMTP}", m.smtp).Replace(mailmanConfig)
	return errors.Join(
		os.WriteFile(filepath.Join(m.dir, "mailman.cfg"), []byte(config), 0o644),
		os.MkdirAll(filepath.Join(m.dir, "var", "data"), 0o755),
		os.WriteFile(filepath.Join(m.dir, "benchlist.py"), []byte(openList), 0o644),
		giveTo(m.dir, int(m.id)),
	)
}

// run runs one of its commands as the user it belongs to.
func (m *mailman) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "/usr/lib/mailman3/bin/mailman", args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "HOME="+m.dir, "PYTHONPATH="+m.dir, "MAILMAN_CONFIG_FILE="+filepath.Join(m.dir, "mailman.cfg"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: m.id, Gid: m.id}}
	// Not a pipe: the daemons that "start" leaves behind would hold it open.
	out, err := os.OpenFile(filepath.Join(m.dir, "said"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("mailman %s: %w: %s", args[0], err, said)
	}
	return nil
}

// await posts to nobody until Mailman listens: its runners start one after the other.
func (m *mailman) await(ctx context.Context) error {
	var err error
	for range 600 {
		err = postTo(ctx, "127.0.0.1:"+m.lmtp, "LHLO", "nobody@lists.example")
		var refused *textproto.Error
		if errors.As(err, &refused) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.stop()
	return fmt.Errorf("mailman does not listen: %w", err)
}

func (m *mailman) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = m.run(ctx, "stop")
}
