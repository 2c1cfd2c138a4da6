// Package rollup turns the acknowledgements in the pool into settlements on the chain. It batches what is pending, signs
// with the hot account, writes what it is about to send into the pool, sends, and follows the transaction until it stands
// in a committed block or can never do so. Whatever happens in between, a crash included, an acknowledgement is either
// pending, in flight or resolved, and is never counted twice.
package rollup
