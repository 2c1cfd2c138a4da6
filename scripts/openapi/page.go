package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// document is the part of an OpenAPI 2 document that the page shows.
type document struct {
	Info struct {
		Title, Description string
	}
	Paths       map[string]map[string]operation
	Definitions map[string]schema
}

type operation struct {
	Summary, Description string
	OperationID          string `json:"operationId"`
	Tags                 []string
	Parameters           []parameter
	Responses            map[string]struct{ Schema schema }
}

type parameter struct {
	Name, In, Description string
	schema
	Schema schema
}

type schema struct {
	Ref                string `json:"$ref"`
	Type, Format       string
	Title, Description string
	Enum               []string
	Items              *schema
	Properties         map[string]schema
}

// service is what one gRPC service offers.
type service struct {
	Name   string
	Routes []route
}

type route struct {
	operation

	Method, Path string
	// Answer is the schema of a good answer.
	Answer schema
}

// message is a type that answers are made of.
type message struct {
	schema

	Name   string
	Fields []field
}

type field struct {
	schema

	Name string
}

//go:embed page.html.tmpl
var pageTemplate string

// page renders the document as one static page that loads nothing else.
func page(raw []byte) ([]byte, error) {
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	routes := map[string][]route{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			o := doc.Paths[path][method]
			routes[o.Tags[0]] = append(routes[o.Tags[0]], route{
				operation: o, Method: strings.ToUpper(method), Path: path, Answer: o.Responses["200"].Schema,
			})
		}
	}
	var data struct {
		document

		Services []service
		Messages []message
	}
	data.document = doc
	for _, name := range slices.SortedFunc(maps.Keys(routes), oursFirst) {
		data.Services = append(data.Services, service{name, routes[name]})
	}
	for _, name := range slices.SortedFunc(maps.Keys(doc.Definitions), oursFirst) {
		m := message{Name: name, schema: doc.Definitions[name]}
		for _, f := range slices.Sorted(maps.Keys(m.Properties)) {
			m.Fields = append(m.Fields, field{Name: f, schema: m.Properties[f]})
		}
		data.Messages = append(data.Messages, m)
	}
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return out.Bytes(), nil
}

// oursFirst orders names alphabetically, those of our modules before all others.
func oursFirst(a, b string) int {
	if ours := strings.HasPrefix(a, "edge."); ours != strings.HasPrefix(b, "edge.") {
		if ours {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// Message is the name of the type that the schema refers to, empty if it refers to none.
func (s schema) Message() string {
	if s.Items != nil {
		return s.Items.Message()
	}
	return strings.TrimPrefix(s.Ref, "#/definitions/")
}

// Plain is the type in words, without the name of a message.
func (s schema) Plain() string {
	switch {
	case s.Items != nil:
		return strings.TrimSpace("list of " + s.Items.Plain())
	case s.Ref != "":
		return ""
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}

// Text is what the schema says about itself.
func (s schema) Text() string {
	return strings.TrimSpace(strings.TrimSpace(s.Title) + "\n" + strings.TrimSpace(s.Description))
}

// Live tells whether the route can be followed as it stands.
func (r route) Live() bool { return r.Method == "GET" && !strings.Contains(r.Path, "{") }

// Text is what the parameter says about itself.
func (p parameter) Text() string { return strings.TrimSpace(p.Description) }

// Type of the parameter, wherever it stands.
func (p parameter) Type() schema {
	if p.In == "body" {
		return p.Schema
	}
	return p.schema
}
