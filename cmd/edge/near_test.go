package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A node that says that its chain is a local network is believed only if it stands in one: else it could have this machine send
// requests into its own.
func TestNear(t *testing.T) {
	for node, want := range map[string]bool{
		"http://localhost:26657": true, "tcp://127.0.0.1:26657": true, "http://[::1]:26657": true, "http://10.1.2.3:26657": true,
		"http://[fd00::1]:26657": true, "http://8.8.8.8:26657": false, "https://[2606:4700::1111]": false, "http://[::ffff:8.8.8.8]:1": false,
		"": false, "http://": false, "://": false,
	} {
		require.Equal(t, want, near(t.Context(), node), node)
	}
}
