package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

const (
	outputText = "text"
	outputJSON = "json"
)

// print writes one result: as JSON if that was asked for, else as text.
func (a *app) print(cmd *cobra.Command, v any, format string, args ...any) error {
	out := cmd.OutOrStdout()
	if a.output == outputJSON {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode output: %w", err)
		}
		_, err = fmt.Fprintf(out, "%s\n", b)
		return err
	}
	_, err := fmt.Fprintf(out, format, args...)
	return err
}
