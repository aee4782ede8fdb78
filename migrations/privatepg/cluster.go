package privatepg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cluster is the place of a private PostgreSQL in a data directory.
type cluster struct {
	dataDir string // of Muster, absolute
	root    string // <data-dir>/postgres, belongs to the account
	data    string // <data-dir>/postgres/data, PostgreSQL's own data directory
	log     *slog.Logger

	// patience is how long a server may stay invisible that others hold the lock of: one that is
	// being started again after it died.
	patience time.Duration
}

func openCluster(dataDir string, log *slog.Logger) (*cluster, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	root := filepath.Join(dir, "postgres")
	return &cluster{dataDir: dir, root: root, data: filepath.Join(root, "data"), log: log, patience: 15 * time.Second}, nil
}

func (c *cluster) pidfile() string { return filepath.Join(c.data, "postmaster.pid") }

// url is how Muster gets at its database through a socket.
func (c *cluster) url(socketDir string) string {
	return socketURL(socketDir, roleMuster, databaseMuster)
}

func socketURL(socketDir, role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database,
		RawQuery: url.Values{"host": {socketDir}, "port": {"5432"}}.Encode()}
	return u.String()
}

// account is the owner of the cluster that is there, else who may own one. Only root can run
// somebody else's.
func (c *cluster) account() (Account, error) {
	a, err := ServerAccount()
	if err != nil {
		return Account{}, err
	}
	info, err := os.Stat(c.data)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return Account{}, c.explain(err)
	}
	uid, gid := owner(info)
	if uid == a.uid {
		return a, nil
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if os.Geteuid() == 0 && uid != 0 {
		return Account{Name: name, uid: uid, gid: gid, other: true}, nil
	}
	return Account{}, fmt.Errorf("the private database in %s belongs to the user %s: run this command as that user or as root", c.root, name)
}

// explain says what to do about a private database that this user may not touch.
func (c *cluster) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the private database in %s belongs to another user: run this command as the user Muster runs as: %w", c.root, err)
	}
	return err
}

// create makes the cluster where there is none. It is made beside its place and moved into it
// when it is whole, so that a half-made one is never mistaken for it.
func (c *cluster) create(ctx context.Context, bin Binaries, a Account) error {
	if _, err := os.Stat(filepath.Join(c.data, "PG_VERSION")); err == nil {
		return nil
	}
	c.log.Info("making a private PostgreSQL cluster", "dir", c.data, "version", bin.Major, "user", a.Name)
	for _, dir := range []string{c.root, filepath.Join(c.root, "log")} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := a.Own(dir); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(c.root, "new")); err != nil {
		return err
	}
	door, err := openDoor(a, c.root)
	if err != nil {
		return err
	}
	defer door.close()
	err = bin.initdb(ctx, a, door, "new", roleSuper, "--auth=reject", "--data-checksums")
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(c.root, "new"), c.data)
}

// admit writes who may connect: through the socket, the operating system's users that Muster and
// PostgreSQL run as, and root, as either role. Nobody has a password, and there is no network.
func (c *cluster) admit(a Account) error {
	users := []string{"root", a.Name}
	if me, err := user.Current(); err == nil {
		users = append(users, me.Username)
	}
	slices.Sort(users)
	var ident strings.Builder
	for _, name := range slices.Compact(users) {
		fmt.Fprintf(&ident, "muster %q %s\nmuster %q %s\n", name, roleMuster, name, roleSuper)
	}
	return errors.Join(
		c.write(a, "pg_hba.conf", "local all all peer map=muster\n"),
		c.write(a, "pg_ident.conf", ident.String()))
}

func (c *cluster) write(a Account, name, text string) error {
	path := filepath.Join(c.data, name)
	header := "# Written by Muster whenever it starts this server.\n"
	if err := os.WriteFile(path, []byte(header+text), 0o600); err != nil {
		return err
	}
	return a.Own(path)
}

// version is the major version of PostgreSQL that made the cluster, 0 where there is none yet.
func (c *cluster) version() (int, error) {
	path := filepath.Join(c.data, "PG_VERSION")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, c.explain(err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return major, nil
}
