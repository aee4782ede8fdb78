// Package testdb gives every test a PostgreSQL database of its own with the schema in it: New and
// URL a clone of a template that was migrated once, Tx a transaction that is rolled back.
//
// The server is a private one with fsync off, started by the first test of a process that asks
// and gone when the process is, however it ends; or the one TEST_DATABASE_URL names. A test never
// skips for want of a database: where there is none to be had, it fails and says what to install.
//
// With TEST_DATABASE_URL the databases of failed tests are kept. To keep those of a private
// server, set TESTDB_KEEP=1: its data directory stays, and the test's log says how to open it.
package testdb
