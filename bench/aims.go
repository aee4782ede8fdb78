package main

// What is to be reached, as a ratio. The batches, the single copies, the accepted posts and the
// memory of EXPN are what was promised; the others are floors against growing slower unnoticed.
const (
	aimBatches = 1.0
	aimSingle  = 0.5
	aimDKIM    = 0.9
	aimDistant = 0.9
	aimAccept  = 0.4
	aimExpn    = 0.2
	aimImport  = 0.3
	limitMB    = 100

	// kB of PostgreSQL's log for a thousand copies, as on 26 November 2026.
	walBatches = 10.5
	walSingle  = 170

	// Against other programs. That of mlmmj is ours: it keeps nothing, and waits at each message
	// for an acknowledgement that a receiver delays.
	aimPostfixBatches = 30
	aimPostfixSingles = 15
	aimPostfixQueued  = 3
	aimMlmmj          = 10
	aimMailman        = 300
)
