// Package chain is the chain as the worker sees it: the clock, its own record, prices, client keys and accounts, and the
// way of a settlement into a block. Polling the height is the truth; nothing rests on event subscriptions, which die
// silently. It imports the types of the chain's modules and none of their keepers.
package chain
