package e2e_test

import "testing"

// TestLongEpoch holds the tests that share the network with one long epoch. They take turns, because some stop its worker.
func TestLongEpoch(t *testing.T) {
	t.Parallel()
	t.Run("bad requests", testBadRequests)
	t.Run("flipped byte", testFlippedByte)
	t.Run("origins", testOrigins)
	t.Run("put", testPut)
	t.Run("put goes on", testPutGoesOn)
	t.Run("folder", testFolder)
	t.Run("small files", testSmallFiles)
	t.Run("cut upload", testCutUpload)
	t.Run("credit limit", testCreditLimit)
	t.Run("killed worker", testKilledWorker)
	t.Run("console", testConsole)
	t.Run("unready worker", testUnreadyWorker)
}
