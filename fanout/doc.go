// Package fanout brings what was accepted to its members: from a committed post or notice to copies
// on the wire. It plans a fan-out into shards, claims shards under a lease, composes the message
// once, routes, connects, delivers, and saves what became of each copy.
//
// # What it promises
//
// A copy whose final dot was sent and whose outcome is not yet committed is in flight, at most one
// transaction a connection. After a crash of the process, the machine or the database only copies
// in flight can come twice, byte for byte the same, and none is left out. What holds this up:
//
//   - A post is queued by being committed, and planned in steps that each commit their place.
//   - A shard belongs to one node at a time. Each claim and each freeing raises its epoch, and an
//     outcome is saved only under the node and epoch of the claim: a node that was thought dead
//     and wakes up changes nothing.
//   - The dot gate: a connection sends the final dot of a transaction only once the outcome of its
//     last one is committed and its node's lease lies ahead.
//
// # One copy each
//
// Who is in several of the lists that a post reaches is sent one copy, for the list nearest to where it was
// posted. A list can have siblings: of the posts of one message to these, each leaves out whom an earlier
// one reaches (store_beside.go says why that leaves nobody without). They are found when the post is begun
// (fanout.beside); where no list has siblings that costs two looks into an empty index.
//
// # Tracking
//
// Where a list's tracking says so, each copy asks for reports to its own envelope sender: of servers that
// offer DSN, and in a field of the header of the reader's program. The envelope's id (ENVID) is the post's
// name. What comes back is noted by package lists in the table report; here it is counted and shown, and
// goes with the shards. Without tracking nothing of it is on the wire, and a copy costs one comparison more.
//
// # Who runs
//
// Engine.Run starts everything and waits for all of it. Under one node row (a tenure) run the beat,
// the planner, the dispatcher, the sweeper, the committer, the listener, and a worker for each
// connection. Run is called once; it returns after its context ended and the transactions in
// flight are finished and saved.
//
// # Who goes first
//
// At each destination shards are claimed by turn. Notices have turn 0. Those of a post are a step apart,
// the first a step after what is being sent: all lists get on side by side, those of a high priority, whose
// steps are short, faster. What limits all that goes out (Config.Rate, Config.Window) leaves most shards
// in the queue while there is no room, so that turns say who is next when there is.
//
// # Memory
//
// However many posts are on their way, and however long they are, they take a bounded memory: nobody
// waits for another's message to be gone, for a destination that has stalled could make that wait
// last for hours.
//
//   - A post of up to 1 MiB is composed in memory and shared by all connections that send it. The
//     messages in memory, those that are kept for the next shard among them, have 32 MiB together.
//   - A longer one, or one for which these have no room, is composed piece by piece into a file that
//     has no name any more (Config.SpoolDir), as it goes on the wire: with its dots doubled. Each
//     connection reads it in pieces of 64 KiB. Of files that nobody sends from 256 MiB are
//     kept, and all of them go at the end of Run, or with the process.
//   - At most three messages are read from the database at a time.
//
// A file that cannot be written, or read again, costs no copy: its shards wait for a few seconds and
// go back to the queue.
//
// It follows
//
//   - RFC 2033, LMTP: a relay may speak it, and answers for each recipient (§4.2)
//   - RFC 9110, HTTP, for relays that take copies by POST: no redirect is followed, Retry-After is heeded (§10.2.3); RFC 7617 and RFC 6750, the user or the token
//   - RFC 5321, Simple Mail Transfer Protocol: sending (§4.5.4), finding the next hop (§5), too many recipients (§4.5.3.1.10), trace fields (§4.4)
//   - RFC 5322, the form of header fields; RFC 8601, Authentication-Results: ours on top, forged ones of our name removed
//   - RFC 7505, null MX; RFC 1035, the names of addresses; RFC 2308, RFC 9520, how long the DNS's noes are kept; RFC 8305, both families in turns; RFC 6890, addresses that are not for everybody
//   - RFC 2919, List-Id; RFC 2369, the other List- fields; RFC 8058, one-click unsubscription; RFC 6068, mailto
//   - RFC 2920, PIPELINING; RFC 9422, LIMITS
//   - RFC 6376, signatures (lists/dkim makes them)
//   - RFC 3463, enhanced status codes
//   - RFC 3461, reports of delivery, and RFC 8098, of reading, where a list asks for them
//   - RFC 6152, 8BITMIME; RFC 2046, RFC 1847, the parts of a message that is converted for who has it not; RFC 6532, a message within one
//   - RFC 7435, encryption where it can be had; RFC 8461, MTA-STS
//   - RFC 7672, DANE for mail; RFC 6698, RFC 7671, its records; RFC 4035, RFC 6840, what a validating name server says of signatures
//   - RFC 3834, Auto-Submitted; RFC 2047, RFC 2045, encoded words and quoted-printable in notices and converted messages
package fanout
