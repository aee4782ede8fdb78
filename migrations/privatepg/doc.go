// Package privatepg runs a PostgreSQL that belongs to one Muster alone, for whoever has configured
// no database: from the binaries of the machine, in <data-dir>/postgres, reachable through a unix
// socket only and by the operating system's users Muster and PostgreSQL run as (peer).
//
// Start is for serve, of which there is one a data directory; Join is for commands, which use the
// server that runs and start it for themselves where none does. Whoever leaves last stops it.
// Start is synchronous: when it returns, the database answers. Stop may be called twice, and when
// it returns the server is gone, or in use by somebody else.
//
// PostgreSQL outlives a Muster that is killed. The next one adopts it, which takes no time, where
// fighting it for the data directory would risk the data.
package privatepg
