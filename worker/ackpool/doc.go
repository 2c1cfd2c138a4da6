// Package ackpool keeps the newest acknowledgement of every lane durably, from the moment a client hands it in until its
// epoch has died, and accounts for each unit of its price exactly once.
//
// # What is kept
//
// A lane holds one acknowledgement, its price (Value), what the chain has paid for it (Settled), what the chain or the
// worker has refused (Refused, by reason) and, while a transaction carries it, which. Acknowledgements are cumulative, so
// Put keeps the newest only: one that counts at least as much in every counter replaces an older one. Of two that are not
// comparable (one counter higher, another lower, which no honest client signs) the one with the higher price is kept, and
// at the same price the one that came first. So the worker's claim on a lane never falls.
//
// # The sum that always holds
//
//	acknowledged = pending + submitted + settled + refused (by reason)
//
// in amounts, and in lanes, where a lane counts in one state: submitted while a transaction carries it, else pending while
// something is to be collected, else refused if any of it was, else settled. It holds for each epoch, for each account and
// in total, also for lanes whose evidence is long deleted, and it survives a crash: the sums of the lanes held are computed
// from the lanes when the pool opens, and a lane is deleted in the same write that adds it to the archived sums.
//
// # Durability
//
// Every method that returns nil after a change has it on disk, but lowering a watermark, where the higher one is the
// safe one. Writers that come together share one fsync. If a write fails the pool is broken (ErrBroken) until it is opened
// anew, because memory would say more than the disk.
//
// # Evidence
//
// A lane, settled or refused, is kept until Expire is told that its epoch is dead and no transaction carries it: a client
// that lost its state finds its newest acknowledgement here. A refused acknowledgement is kept with the verdict as long,
// also when a newer one has replaced it.
package ackpool
