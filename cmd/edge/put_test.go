package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPutRefusesHowManyAtATime(t *testing.T) {
	for _, n := range []string{"0", "9", "-1"} {
		code, _, errOut := edge(t, t.TempDir(), "put", t.TempDir(), "--parallel", n)
		require.Equal(t, 2, code)
		require.Contains(t, errOut, "want 1 to 8")
	}
}
