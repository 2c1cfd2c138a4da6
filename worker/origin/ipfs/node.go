package ipfs

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-unixfsnode/data"
	dagpb "github.com/ipld/go-codec-dagpb"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
)

const (
	// maxName bounds a name in a folder in bytes, as file systems do.
	maxName = 255
	// maxFanout bounds the children of a shard of a folder, as implementations of IPFS do.
	maxFanout = 1024
)

// kind of a node.
type kind int

const (
	file kind = iota
	directory
	shard
	symlink
)

// node is a block of UnixFS.
type node struct {
	kind kind
	// data of a file stands before that of its links.
	data  []byte
	links []link
	// size of a file in bytes as the node says, 0 if it does not.
	size uint64
	// prefix is how many digits stand before each name of a shard.
	prefix int
	pb     dagpb.PBNode
	unixfs data.UnixFSData
}

type link struct {
	name string
	id   cid.Cid
}

// parse reads a verified block. It returns ErrFormat.
func parse(id cid.Cid, block []byte) (*node, error) {
	if id.Prefix().Codec == cid.Raw {
		return &node{kind: file, data: block, size: uint64(len(block))}, nil
	}
	builder := dagpb.Type.PBNode.NewBuilder()
	if err := dagpb.DecodeBytes(builder, block); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, id, err)
	}
	pb, ok := builder.Build().(dagpb.PBNode)
	if !ok || !pb.FieldData().Exists() {
		return nil, fmt.Errorf("%w: %s has no data", ErrFormat, id)
	}
	u, err := data.DecodeUnixFSData(pb.FieldData().Must().Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, id, err)
	}
	n := &node{pb: pb, unixfs: u}
	if u.FieldData().Exists() {
		n.data = u.FieldData().Must().Bytes()
	}
	if u.FieldFileSize().Exists() {
		n.size = uint64(u.FieldFileSize().Must().Int())
	}
	switch u.FieldDataType().Int() {
	case data.Data_File, data.Data_Raw:
		n.kind = file
	case data.Data_Directory:
		n.kind = directory
	case data.Data_Symlink:
		n.kind = symlink
	case data.Data_HAMTShard:
		n.kind = shard
		if !u.FieldFanout().Exists() {
			return nil, fmt.Errorf("%w: %s is a shard without a fanout", ErrFormat, id)
		}
		fanout := u.FieldFanout().Must().Int()
		if fanout < 8 || fanout > maxFanout || fanout&(fanout-1) != 0 {
			return nil, fmt.Errorf("%w: %s is a shard with a fanout of %d", ErrFormat, id, fanout)
		}
		n.prefix = len(fmt.Sprintf("%X", fanout-1))
	default:
		return nil, fmt.Errorf("%w: %s is of type %d", ErrFormat, id, u.FieldDataType().Int())
	}
	for links := pb.FieldLinks().Iterator(); !links.Done(); {
		_, l := links.Next()
		to, ok := l.FieldHash().Link().(cidlink.Link)
		if !ok {
			return nil, fmt.Errorf("%w: %s has a link without a CID", ErrFormat, id)
		}
		next := link{id: to.Cid}
		if l.FieldName().Exists() {
			next.name = l.FieldName().Must().String()
		}
		n.links = append(n.links, next)
	}
	return n, nil
}

// checkName returns why a name of a folder cannot be one of a file.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%w: name %q", ErrFormat, name)
	case len(name) > maxName:
		return fmt.Errorf("%w: name of %d bytes, want at most %d", ErrFormat, len(name), maxName)
	case !utf8.ValidString(name), strings.ContainsAny(name, "/\\\x00"):
		return fmt.Errorf("%w: name %q", ErrFormat, name)
	}
	return nil
}
