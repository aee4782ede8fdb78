package privatepg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Account is the operating system's user that PostgreSQL runs as.
type Account struct {
	Name     string
	uid, gid int
	other    bool // not the user this process runs as
}

// ServerAccount is the user this process may run PostgreSQL as: itself, and because PostgreSQL
// refuses to run as root, for root the user postgres, else nobody.
func ServerAccount() (Account, error) {
	if os.Geteuid() != 0 {
		me, err := user.Current()
		if err != nil {
			return Account{}, fmt.Errorf("the user this runs as: %w", err)
		}
		return Account{Name: me.Username, uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, uerr := strconv.Atoi(u.Uid)
			gid, gerr := strconv.Atoi(u.Gid)
			return Account{Name: name, uid: uid, gid: gid, other: true}, errors.Join(uerr, gerr)
		}
	}
	return Account{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it as")
}

// Own gives a file or directory to the account.
func (a Account) Own(path string) error {
	if !a.other {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// Process makes a child run as the account and in a session of its own, so that a Ctrl-C at the
// terminal reaches Muster alone, which stops PostgreSQL when it has drained.
func (a Account) Process() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
