// Package migrations is the schema as numbered steps, sql/00001_….sql and on, embedded in the
// binary and applied in order under an advisory lock, so that any number of nodes may start at
// once. A step that has shipped is never edited: what it did wrong, a later one puts right. Steps
// only go forward, and a step must leave a schema that the version before it can still run on.
package migrations
