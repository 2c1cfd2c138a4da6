// Command edged runs a node of the chain and is its command line.
package main

import (
	"os"

	"github.com/edgechain/edge/cmd/edged/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args[1:], os.Stdout, os.Stderr))
}
