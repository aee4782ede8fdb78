package privatepg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// answers says whether a server takes connections at a socket. One that refuses this one for a
// reason of its own, too many for instance, does.
func answers(ctx context.Context, socketDir string) (bool, error) {
	const cannotConnectNow = "57P03" // starting up or shutting down
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, socketURL(socketDir, roleMuster, databaseMuster))
	if err == nil {
		return true, conn.Close(ctx)
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code != cannotConnectNow, nil
	}
	return false, err
}

// running waits until a server that is starting or stopping has done so, and says where its socket
// is, "" where none runs.
func (c *cluster) running(ctx context.Context) (socketDir string, err error) {
	for {
		p, err := readPidfile(c.pidfile())
		if err != nil {
			return "", c.explain(err)
		}
		if !p.alive() {
			return "", nil
		}
		if p.socket != "" {
			ok, err := answers(ctx, c.realSocket(p))
			if ok {
				return c.realSocket(p), nil
			}
			if errors.Is(err, fs.ErrPermission) {
				return "", c.explain(err)
			}
		}
		if !sleep(ctx, tick) {
			return "", fmt.Errorf("PostgreSQL in %s is running but does not answer: %w", c.data, ctx.Err())
		}
	}
}
