package origin

import "context"

// LoopHeader marks requests of workers (RFC 8586).
const LoopHeader = "CDN-Loop"

// loopID is how workers name themselves there.
const loopID = "edge-worker"

type fromWorker struct{}

// FromWorker marks the context of a request that carries LoopHeader: Fill does not ask other workers on its behalf.
func FromWorker(ctx context.Context) context.Context {
	return context.WithValue(ctx, fromWorker{}, true)
}

func isFromWorker(ctx context.Context) bool {
	marked, _ := ctx.Value(fromWorker{}).(bool)
	return marked
}
