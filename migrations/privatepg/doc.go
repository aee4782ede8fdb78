// Package privatepg runs a PostgreSQL that belongs to one Muster alone, for whoever has not
// configured a database: from the binaries of the machine, in the data directory, reachable
// through a unix socket only.
package privatepg
