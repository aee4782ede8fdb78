package main

// What is to be reached, as a ratio. The batches, the single copies, the accepted posts and the
// memory of EXPN are what was promised; the others are floors against growing slower unnoticed.
const (
	aimBatches = 1.0
	aimSingle  = 0.5
	aimAccept  = 0.4
	aimExpn    = 0.2
	aimImport  = 0.3
	limitMB    = 100
)
