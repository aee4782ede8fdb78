package privatepg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// ErrInUse says that another Muster serves from the data directory.
var ErrInUse = errors.New("in use by another Muster")

// ErrElsewhere says that somebody uses the private database of a data directory, but no server
// for it is to be seen on this machine or in this container.
var ErrElsewhere = errors.New("in use by a Muster elsewhere, another container for instance")

// lingering is how long a lock may still seem to be held by a process that has let go of it.
const lingering = time.Second

// Options are for Start and Join; the zero value will do.
type Options struct {
	Log *slog.Logger // nil: silent
}

// Server is a private PostgreSQL in use.
type Server struct {
	URL string // of Muster's database

	cluster   *cluster
	socketDir string
	child     *child // nil when it was running already
	serve     *lock  // nil for a command
	users     *lock  // shared with all who use the server; nil after Stop
}

// Start runs the server for the one process that serves from the data directory. Stop it.
func Start(ctx context.Context, dataDir string, o Options) (*Server, error) {
	c, err := prepareDir(dataDir, o)
	if err != nil {
		return nil, err
	}
	serve, err := openLock(filepath.Join(c.dataDir, "serve.lock"))
	if err != nil {
		return nil, c.explain(err)
	}
	if err := c.claim(ctx, serve); err != nil {
		return nil, errors.Join(err, serve.release())
	}
	s, err := c.join(ctx)
	if err != nil {
		return nil, errors.Join(err, serve.release())
	}
	s.serve = serve
	return s, nil
}

// claim takes the data directory for this process. A lock outlives its holder for the moment in which
// a program that it was just starting still has its files, so one look is not enough.
func (c *cluster) claim(ctx context.Context, serve *lock) error {
	for since := time.Now(); ; {
		ok, err := serve.try(exclusive)
		if err != nil {
			return err
		}
		if ok {
			return serve.sign()
		}
		if time.Since(since) > lingering || !sleep(ctx, tick) {
			return fmt.Errorf("data directory %s: %w: %s", c.dataDir, ErrInUse, serve.holder())
		}
	}
}

// Join uses the server that runs for the data directory, and starts it where none does. Stop it,
// which leaves it running for whoever else uses it.
func Join(ctx context.Context, dataDir string, o Options) (*Server, error) {
	c, err := prepareDir(dataDir, o)
	if err != nil {
		return nil, err
	}
	return c.join(ctx)
}

// Find tells the URL of Muster's database where a private server is running for the data
// directory. It starts nothing, and does not keep others from stopping it.
func Find(ctx context.Context, dataDir string) (url string, running bool, err error) {
	c, err := openCluster(dataDir, nil)
	if err != nil {
		return "", false, err
	}
	socketDir, err := c.running(ctx)
	if err != nil || socketDir == "" {
		return "", false, err
	}
	return c.url(socketDir), true, nil
}

func prepareDir(dataDir string, o Options) (*cluster, error) {
	c, err := openCluster(dataDir, o.Log)
	if err != nil {
		return nil, err
	}
	return c, os.MkdirAll(c.dataDir, dataDirMode())
}

// dataDirMode lets the user that root's PostgreSQL runs as through to its own directory.
func dataDirMode() os.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}

// join gets at the server under a lock that every user of it holds shared, and that whoever starts
// or stops it holds alone.
func (c *cluster) join(ctx context.Context) (*Server, error) {
	users, err := openLock(filepath.Join(c.dataDir, "postgres.lock"))
	if err != nil {
		return nil, c.explain(err)
	}
	s := &Server{cluster: c, users: users}
	for since := time.Now(); ; {
		joined, err := s.attempt(ctx)
		if err == nil && joined {
			return s, nil
		}
		if err == nil && time.Since(since) > c.patience {
			err = fmt.Errorf("private database in %s: %w", c.root, ErrElsewhere)
		}
		if err == nil && !sleep(ctx, 3*tick) {
			err = fmt.Errorf("private database in %s: %w", c.root, ctx.Err())
		}
		if err != nil {
			return nil, errors.Join(err, s.abandon())
		}
	}
}

// attempt is one round of join. False without an error means: somebody is just starting or
// stopping the server, or it is not to be seen; ask again.
func (s *Server) attempt(ctx context.Context) (bool, error) {
	alone, err := s.users.try(exclusive)
	if err != nil {
		return false, err
	}
	if alone {
		if err := s.bringUp(ctx); err != nil {
			return false, err
		}
	}
	// Between the two locks somebody may come, do their work and stop the server: so look.
	if ok, err := s.users.try(shared); err != nil || !ok {
		return false, err
	}
	socketDir, err := s.cluster.running(ctx)
	if err != nil || socketDir == "" {
		return false, err
	}
	s.socketDir, s.URL = socketDir, s.cluster.url(socketDir)
	return true, nil
}

// bringUp starts the server or adopts one that runs. The caller is alone with it.
func (s *Server) bringUp(ctx context.Context) error {
	socketDir, err := s.cluster.running(ctx)
	if err != nil {
		return err
	}
	if socketDir != "" {
		s.cluster.log.Info("adopted the private PostgreSQL that was running", "dir", s.cluster.data)
	} else if s.child, socketDir, err = s.cluster.launch(ctx, ""); err != nil {
		return err
	}
	return prepare(ctx, socketDir)
}

// abandon undoes a join that failed half-way.
func (s *Server) abandon() error {
	var err error
	if s.child != nil {
		err = s.cluster.quit(s.child)
	}
	return errors.Join(err, s.users.release())
}

// Watch starts the server again when it has died, and returns when ctx ends. Clients reconnect by
// the same URL. It is for who serves; call Stop only when it has returned.
func (s *Server) Watch(ctx context.Context) {
	for sleep(ctx, time.Second) {
		p, err := readPidfile(s.cluster.pidfile())
		if err == nil && p.alive() {
			continue
		}
		s.cluster.log.Error("the private PostgreSQL has died, starting it again", "dir", s.cluster.data, "error", err)
		started, _, err := s.cluster.launch(ctx, s.socketDir)
		if err != nil {
			s.cluster.log.Error("the private PostgreSQL does not start", "dir", s.cluster.data, "error", err)
			continue
		}
		s.child = started
	}
}

// Stop stops the server, unless others are still using it: then the last of them does. Its
// clients should be gone; those that are not lose their connections. When ctx ends before the
// server has shut down in good order, it is made to end without.
func (s *Server) Stop(ctx context.Context) error {
	if s.users == nil {
		return nil
	}
	last, err := s.users.try(exclusive)
	if err == nil && last {
		err = s.cluster.stop(ctx, s.child)
	}
	err = errors.Join(err, s.users.release(), s.serve.release())
	s.users = nil
	return err
}
