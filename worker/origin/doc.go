// Package origin fills the store with content that it lacks: from local folders, from other workers, and from HTTP(S)
// servers. A request that misses calls Fill, which asks the configured origins in this order and streams what they deliver
// into the store. The store keeps it only if it hashes to its name, so that no origin is trusted with more than time, and
// package outbound bounds that.
//
// Requests for the same name share one fetch, which lives while at least one of them waits, and a little longer: a client
// that was told to come again for a large object finds it further on. Fetches, those that wait for
// their turn, and names that nobody had are bounded in number. An origin that fails three times in a row is left alone for a
// while, which doubles.
//
// Workers may name each other as origins. A request that comes from a worker says so by the header CDN-Loop (RFC 8586), and
// is answered from the store, folders and HTTP alone: two workers never wait for each other.
package origin
