// Package capacity says what a site of a given size needs: from what bench has measured, kept in
// bench/scaling.json, and a simulated day of posts. It writes the curves and the tables of
// docs/scaling.md, so that these are always those of the last measurement.
package capacity
