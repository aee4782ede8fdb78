// Package clock does what is due by time. Each node's Clock looks every tick at its tasks'
// schedules and claims the latest slot that has come with a compare-and-set in the database: of all
// nodes one fires it. A slot that came while no node was up is made up once, by whoever looks
// first; of several missed slots of a task only the latest.
//
// A slot is fired at most once. What a task does is idempotent and takes its truth from the tables,
// so that what a slot did not finish the next one does.
//
// Start and stop: Run returns once its context is done and the tasks that were running have
// returned; it starts nothing after that. A Clock may be run again after Run returned.
package clock
