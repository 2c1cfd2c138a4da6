// Command openapi turns the document that protoc-gen-openapiv2 merges from many schemas into the one that the REST server
// hands out, and writes a page for people beside it:
//
//	openapi GENERATED DIR    # writes DIR/openapi.json and DIR/index.html
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("want the generated document and the folder to write to")
	}
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	edited, err := edit(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	html, err := page(edited)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := os.WriteFile(filepath.Join(args[1], "openapi.json"), edited, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[1], "index.html"), html, 0o644)
}

// edit gives the document a title and makes what the merge left ambiguous unique: every module calls its service Query and
// one of its methods Params, but an operation id may stand once.
func edit(raw []byte) ([]byte, error) {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	doc["info"] = map[string]any{
		"title":       "Edge REST API",
		"version":     "v1",
		"description": "Queries of a node of Edge, and sending transactions. 64-bit integers and amounts are strings, bytes are base64.",
	}
	paths, ok := doc["paths"].(map[string]any)
	if !ok {
		return nil, errors.New("no paths")
	}
	ids, services := map[string]bool{}, map[string]bool{}
	for path, methods := range paths {
		for method, value := range methods.(map[string]any) {
			operation := value.(map[string]any)
			tags, ok := operation["tags"].([]any)
			if !ok || len(tags) != 1 {
				return nil, fmt.Errorf("%s %s has %d tags, want its service", method, path, len(tags))
			}
			service := tags[0].(string)
			_, name, ok := strings.Cut(operation["operationId"].(string), "_")
			id := strings.ReplaceAll(service, ".", "_") + "_" + name
			if !ok || ids[id] {
				return nil, fmt.Errorf("%s %s: operation id %s is of another form, or stands twice", method, path, id)
			}
			ids[id], services[service] = true, true
			operation["operationId"] = id
		}
	}
	// Services of transactions have no routes.
	var tags []any
	for _, t := range doc["tags"].([]any) {
		if services[t.(map[string]any)["name"].(string)] {
			tags = append(tags, t)
		}
	}
	doc["tags"] = tags
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(doc)
	return out.Bytes(), err
}
