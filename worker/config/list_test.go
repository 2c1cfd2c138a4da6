package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLists(t *testing.T) {
	c := Default()
	require.NoError(t, c.Read([]byte("[origin]\nworkers = \"https://a.example , https://b.example,\"\n")))
	require.Equal(t, List{"https://a.example", "https://b.example"}, c.Origin.Workers)
	var again Config
	require.NoError(t, again.Read(c.Write()))
	require.Equal(t, c.Origin, again.Origin)
	require.ErrorContains(t, c.Read([]byte("[origin]\nworkers = [\"https://a.example\"]\n")), "with commas")
	c = Default()
	require.NoError(t, c.ReadEnv([]string{"EDGE_WORKER_ORIGIN_FOLDERS=/a,/b", "EDGE_WORKER_ORIGIN_IPFS_GATEWAYS="}))
	require.Equal(t, List{"/a", "/b"}, c.Origin.Folders)
	require.Empty(t, c.Origin.IPFSGateways)
}
