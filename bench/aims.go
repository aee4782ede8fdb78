package main

// What is to be reached, as a ratio. All are what was set out for, but for those of memory where no limit
// is named here, which are floors against growing unnoticed.
const (
	aimBatches = 2.0
	aimSingle  = 1.2
	aimDKIM    = 0.9
	aimDistant = 0.9
	aimAccept  = 0.7
	aimExpn    = 0.5
	aimImport  = 0.4
	aimMillion = 0.9 // of the cost of a copy to a small list
	limitMB    = 100
	millionMB  = 128
	idleMB     = 60

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
